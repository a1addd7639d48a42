import Telemetry
import TelemetrySDK
import Testing

@testable import TelemetryExport

@Suite struct ExportConfigurationTests {
    @Test func nothingSetMeansTheStandardDefaults() {
        let configuration = ExportConfiguration(values: [:])
        #expect(configuration.tracesEndpoint == nil)
        #expect(configuration.isCompressed)
        #expect(configuration.timeoutMilliseconds == 10_000)
        #expect(configuration.batching.maxQueueSize == 2_048)
        #expect(configuration.batching.maxExportBatchSize == 512)
        #expect(configuration.batching.scheduleDelayMilliseconds == 5_000)
        #expect(configuration.batching.exportTimeoutMilliseconds == 30_000)
        #expect(configuration.logLevel == .info)
        #expect(configuration.logstash == nil)
        #expect(configuration.warnings.isEmpty)
    }

    @Test func emptyValuesCountAsNone() {
        let configuration = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_SAMPLER": " ", "LOG_LEVEL": "", "LOGSTASH_ADDRESS": "",
        ])
        #expect(configuration.tracesEndpoint == nil && configuration.logstash == nil)
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: [
        ("http://collector:4318", "http://collector:4318", "/v1/traces"),
        ("http://collector:4318/", "http://collector:4318", "/v1/traces"),
        ("http://collector/otlp", "http://collector:80", "/otlp/v1/traces"),
        ("HTTP://[::1]:4318/a/", "http://[::1]:4318", "/a/v1/traces"),
    ])
    func baseEndpointGetsThePathOfTheSignal(text: String, origin: String, target: String) {
        let endpoint = ExportConfiguration(values: ["OTEL_EXPORTER_OTLP_ENDPOINT": text]).tracesEndpoint
        #expect(endpoint?.origin == origin)
        #expect(endpoint?.target == target)
    }

    @Test(arguments: [
        ("http://collector:4318", "/"), ("http://collector:4318/custom", "/custom"),
        ("http://collector:4318/a?b=c#d", "/a?b=c"),
    ])
    func signalEndpointIsUsedAsItIsAndWins(text: String, target: String) {
        let endpoint = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": text,
        ]).tracesEndpoint
        #expect(endpoint?.origin == "http://collector:4318")
        #expect(endpoint?.target == target)
    }

    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:secret@collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:99999"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b:1"), ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0D%0Asecret"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "secret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc-secret"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "-secret"),
        ("OTEL_TRACES_SAMPLER", "secret"), ("OTEL_TRACES_EXPORTER", "secret"), ("OTEL_SDK_DISABLED", "secret"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_BSP_SCHEDULE_DELAY", "secret"),
        ("OTEL_RESOURCE_ATTRIBUTES", "secret"), ("LOG_LEVEL", "secret"), ("LOGSTASH_ADDRESS", "secret"),
        ("LOGSTASH_ADDRESS", "host:port:secret"), ("LOGSTASH_ADDRESS", ":5000"), ("LOGSTASH_ADDRESS", "host:0"),
    ])
    func unusableValueWarnsByNameAndFallsBack(name: String, value: String) {
        let configuration = ExportConfiguration(values: [name: value])
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.hasPrefix(name) == true)
        #expect(configuration.warnings.first?.contains("secret") == false)
        #expect(configuration.tracesEndpoint == nil && configuration.logstash == nil)
        #expect(configuration.tracesHeaders.isEmpty && configuration.isCompressed)
        #expect(configuration.batching.maxQueueSize == 2_048)
    }

    @Test func everyVariableIsRead() {
        let configuration = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_HEADERS": "ignored=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "Authorization=Bearer%20x, x-team = core",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_EXPORT_TIMEOUT": "7", "OTEL_BSP_MAX_QUEUE_SIZE": "64",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "128",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,note=a%2Cb", "LOG_LEVEL": "DEBUG",
            "LOGSTASH_ADDRESS": "logs.example:5000", "OTEL_TRACES_SAMPLER": "traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.25",
        ])
        #expect(configuration.warnings.isEmpty)
        #expect(configuration.tracesHeaders.map(\.name) == ["Authorization", "x-team"])
        #expect(configuration.tracesHeaders.map(\.value) == ["Bearer x", "core"])
        #expect(!configuration.isCompressed)
        #expect(configuration.timeoutMilliseconds == 2_500)
        #expect(configuration.batching.scheduleDelayMilliseconds == 100)
        #expect(configuration.batching.exportTimeoutMilliseconds == 7)
        #expect(configuration.batching.maxQueueSize == 64)
        #expect(configuration.batching.maxExportBatchSize == 64)
        #expect(configuration.resourceAttributes.map(\.1) == ["prod", "a,b"])
        #expect(configuration.logLevel == .debug)
        #expect(configuration.logstash?.description == "logs.example:5000")
    }

    @Test func exportCanBeSwitchedOff() {
        for off in ["OTEL_TRACES_EXPORTER": "none", "OTEL_SDK_DISABLED": "TRUE"] {
            let configuration = ExportConfiguration(values: [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", off.key: off.value,
            ])
            #expect(configuration.tracesEndpoint == nil)
            #expect(configuration.warnings.isEmpty)
        }
    }
}

@Suite struct RetryTests {
    private let policy = RetryPolicy()

    @Test(arguments: [429, 502, 503, 504])
    func temporaryFailuresAreTriedAgain(status: Int) {
        #expect(
            ExportOutcome(status: status, retryAfter: "3", body: [])
                == .retry(errorType: "\(status)", retryAfter: "3"))
    }

    @Test(arguments: [301, 302, 400, 401, 403, 404, 408, 413, 415, 500, 501, 505])
    func otherFailuresAreFinal(status: Int) {
        #expect(ExportOutcome(status: status, retryAfter: nil, body: []) == .refused(errorType: "\(status)"))
    }

    @Test func successMayBePartialAndItsBodyGarbage() {
        let partial: [UInt8] = [0x0A, 0x04, 0x08, 0x02, 0x12, 0x00]
        #expect(ExportOutcome(status: 200, retryAfter: nil, body: partial) == .accepted(rejected: 2, message: ""))
        #expect(
            ExportOutcome(status: 200, retryAfter: nil, body: Array("<html>".utf8))
                == .accepted(rejected: 0, message: ""))
        #expect(ExportOutcome(status: 200, retryAfter: nil, body: [0x0A, 0x00]) == .accepted(rejected: 0, message: ""))
    }

    @Test func delaysGrowWithJitterUpToTheirCap() {
        for (attempt, range) in [(1, 500...1_000), (2, 1_000...2_000), (4, 4_000...8_000), (40, 15_000...30_000)] {
            let delays = (0..<200).map { _ in policy.delayMilliseconds(attempt: attempt) }
            #expect(delays.allSatisfy(range.contains))
            #expect(Set(delays).count > 10)
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7_000), ("Thu, 01 Jan 1970 00:00:30 GMT", 20_000), ("Thu, 01 Jan 1970 00:00:05 GMT", 0),
            ("999999999", 300_000), ("9223372036854775807", 300_000), ("-1", nil), ("soon", nil), ("", nil),
            ("1.5", nil),
        ] as [(String, Int?)])
    func retryAfterIsSecondsOrADate(header: String, expected: Int?) {
        #expect(policy.delayMilliseconds(retryAfter: header, nowSeconds: 10) == expected)
    }
}
