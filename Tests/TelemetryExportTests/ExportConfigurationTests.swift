import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

extension ExportConfiguration {
    /// How spans go to the first collector.
    var traces: OTLPTarget? { targets[.traces]?.first }

    /// Changes how every signal goes to every collector.
    mutating func changeTargets(_ change: (inout OTLPTarget) -> Void) {
        for signal in targets.keys {
            for index in targets[signal, default: []].indices { change(&targets[signal, default: []][index]) }
        }
    }
}

@Suite struct ExportConfigurationTests {
    @Test func nothingSetMeansTheStandardDefaults() {
        let configuration = ExportConfiguration(values: [:])
        #expect(configuration.traces?.endpoint == nil)
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
        #expect(configuration.traces?.endpoint == nil && configuration.logstash == nil)
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: [
        ("http://collector:4318", "http://collector:4318", "/v1/traces"),
        ("http://collector:4318/", "http://collector:4318", "/v1/traces"),
        ("http://collector/otlp", "http://collector:80", "/otlp/v1/traces"),
        ("HTTP://[::1]:4318/a/", "http://[::1]:4318", "/a/v1/traces"),
        ("http://c:1/x?k=1", "http://c:1", "/x/v1/traces?k=1"), ("http://c:1?k=/", "http://c:1", "/v1/traces?k=/"),
        ("http://c:1/x/?k=1#f", "http://c:1", "/x/v1/traces?k=1"),
    ])
    func baseEndpointGetsThePathOfTheSignal(text: String, origin: String, target: String) {
        let endpoint = ExportConfiguration(values: ["OTEL_EXPORTER_OTLP_ENDPOINT": text]).traces?.endpoint
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
        ]).traces?.endpoint
        #expect(endpoint?.origin == "http://collector:4318")
        #expect(endpoint?.target == target)
    }

    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:secret@collector"), ("LOGSTASH_TLS", "secret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:99999"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b:1"), ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0D%0Asecret"), ("OTEL_EXPORTER_OTLP_HEADERS", "x team=secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-ok=1,x-team=secret%7F"), ("OTEL_EXPORTER_OTLP_HEADERS", "Host=secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "content-length=1,a=secret"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "secret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc-secret"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "-secret"),
        ("OTEL_TRACES_SAMPLER", "secret"), ("OTEL_TRACES_EXPORTER", "secret"), ("OTEL_SDK_DISABLED", "secret"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_BSP_SCHEDULE_DELAY", "secret"),
        ("OTEL_METRICS_EXPORTER", "secret"), ("OTEL_LOGS_EXPORTER", "secret"), ("OTEL_PROPAGATORS", "b3-secret"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "secret"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/secret"), ("VITRINE_OTLP_SPOOL", "secret"),
        ("VITRINE_OTLP_SPOOL_BYTES", "5"), ("OTEL_RESOURCE_ATTRIBUTES", "secret"), ("LOG_LEVEL", "secret"),
        ("LOGSTASH_ADDRESS", "secret"), ("OTEL_SERVICE_NAME", "sec\u{7}ret"), ("OTEL_CONFIG_FILE", "secret"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "secret"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "secret"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"), ("OTEL_BLRP_EXPORT_TIMEOUT", "secret"),
        ("LOGSTASH_ADDRESS", "host:port:secret"), ("LOGSTASH_ADDRESS", ":5000"), ("LOGSTASH_ADDRESS", "host:0"),
    ])
    func unusableValueWarnsByNameAndFallsBack(name: String, value: String) {
        let configuration = ExportConfiguration(values: [name: value])
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.hasPrefix(name) == true)
        #expect(configuration.warnings.first?.contains("secret") == false)
        #expect(configuration.traces?.endpoint == nil && configuration.logstash == nil)
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
        #expect(configuration.traces?.headers.map(\.name) == ["Authorization", "x-team"])
        #expect(configuration.traces?.headers.map(\.value) == ["Bearer x", "core"])
        #expect(configuration.traces?.isCompressed == false)
        #expect(configuration.traces?.timeoutMilliseconds == 2_500)
        #expect(configuration.batching.scheduleDelayMilliseconds == 100)
        #expect(configuration.batching.exportTimeoutMilliseconds == 7)
        #expect(configuration.batching.maxQueueSize == 64)
        #expect(configuration.batching.maxExportBatchSize == 64)
        #expect(configuration.resourceAttributes.map(\.1) == ["prod", "a,b"])
        #expect(configuration.logLevel == .debug)
        #expect(configuration.logstash?.description == "logs.example:5000")
    }

    @Test func theServiceIsNamedByItsVariableThenByTheResource() {
        var values = ["OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,a=b"]
        #expect(ExportConfiguration(values: values).serviceName == "shop")
        values["OTEL_SERVICE_NAME"] = "checkout"
        #expect(ExportConfiguration(values: values).serviceName == "checkout")
        values["OTEL_SERVICE_NAME"] = ""
        #expect(ExportConfiguration(values: values).serviceName == "shop")
    }

    @Test func servicesThatShareAProcessKeepTheirNamesAndSaySo() {
        var configuration = ExportConfiguration(values: ["OTEL_SERVICE_NAME": "checkout"])
        configuration.keepServiceNames()
        #expect(configuration.serviceName == nil)
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.contains("several services share this process") == true)
        configuration = ExportConfiguration(values: [:])
        configuration.keepServiceNames()
        #expect(configuration.warnings.isEmpty)
    }

    @Test func theOnlyPossibleValueOfAVariableNeedsNoWarning() {
        let configuration = ExportConfiguration(values: [
            "OTEL_PROPAGATORS": "baggage, tracecontext", "OTEL_METRICS_EXEMPLAR_FILTER": "trace_based",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Cumulative", "OTEL_BLRP_EXPORT_TIMEOUT": "11",
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "explicit_bucket_histogram",
            "OTEL_METRIC_EXPORT_TIMEOUT": "12", "OTEL_BSP_EXPORT_TIMEOUT": "13",
        ])
        #expect(configuration.warnings.isEmpty)
        #expect(OTLPSignal.allCases.map { configuration.exportTimeoutMilliseconds($0) } == [13, 12, 11])
    }

    @Test func theFormsOfHistogramsAreChosen() {
        let aggregation = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
        var values = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "otlp",
            aggregation: "Base2_Exponential_Bucket_Histogram",
        ]
        var configuration = ExportConfiguration(values: values)
        #expect(configuration.histograms == HistogramForms(native: .off, isExponentialExported: true))
        #expect(configuration.warnings.isEmpty)
        values["OTEL_METRICS_EXPORTER"] = "prometheus"
        // Nobody gets it: nobody pays for it.
        #expect(!ExportConfiguration(values: values).histograms.areExponential)
        for (text, native) in [("off", .off), ("together", .together), ("Apart", .apart)]
            as [(String, HistogramForms.Native)]
        {
            configuration = ExportConfiguration(values: ["VITRINE_NATIVE_HISTOGRAMS": text])
            #expect(configuration.histograms == HistogramForms(native: native))
            #expect(configuration.warnings.isEmpty)
        }
        configuration = ExportConfiguration(values: [
            aggregation: "drop", "VITRINE_NATIVE_HISTOGRAMS": "on", "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        ])
        #expect(configuration.histograms == HistogramForms())
        #expect(configuration.warnings.count == 2)
        #expect(configuration.warnings.allSatisfy { !$0.contains("drop") })
    }

    @Test func aCollectorHasItsDefaults() {
        let target = ExportConfiguration(values: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"]).traces
        #expect(target?.isCompressed == true && target?.isJSON == false)
        #expect(target?.timeoutMilliseconds == 10_000)
        #expect(target?.headers.isEmpty == true)
    }

    @Test(arguments: ["127.0.0.1:4318", "localhost:4318", "LOCALHOST", "[::1]:4318"])
    func aCollectorOnThisMachineGetsItsBytesAsTheyAre(authority: String) {
        var values = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://\(authority)"]
        #expect(ExportConfiguration(values: values).traces?.isCompressed == false)
        values["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
        #expect(ExportConfiguration(values: values).traces?.isCompressed == true)
        values = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost.example:4318"]
        #expect(ExportConfiguration(values: values).traces?.isCompressed == true)
    }

    @Test func metricsAndLogsGoToACollectorOnlyWhenAskedTo() {
        var values = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"]
        #expect(Set(ExportConfiguration(values: values).targets.keys) == [.traces])
        values["OTEL_METRICS_EXPORTER"] = "otlp,prometheus"
        values["OTEL_LOGS_EXPORTER"] = "otlp"
        values["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"] = "http/json"
        values["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = "http://m:9090/api/v1/otlp/v1/metrics"
        let configuration = ExportConfiguration(values: values)
        #expect(configuration.warnings.isEmpty)
        #expect(configuration.targets[.logs]?.first?.endpoint.target == "/v1/logs")
        #expect(configuration.targets[.logs]?.first?.isJSON == true)
        #expect(configuration.targets[.metrics]?.first?.endpoint.target == "/api/v1/otlp/v1/metrics")
        #expect(configuration.traces?.isJSON == false)
    }

    @Test func furtherCollectorsHaveSettingsOfTheirOwn() {
        let configuration = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318", "VITRINE_OTLP_2_ENDPOINT": "http://b:4318/x",
            "VITRINE_OTLP_2_HEADERS": "team=core", "VITRINE_OTLP_2_COMPRESSION": "none",
            "VITRINE_OTLP_4_TRACES_ENDPOINT": "http://d:1/only", "VITRINE_OTLP_3_ENDPOINT": "ftp://c",
        ])
        let targets = configuration.targets[.traces] ?? []
        #expect(targets.map(\.endpoint.origin) == ["http://a:4318", "http://b:4318", "http://d:1"])
        #expect(targets.map(\.endpoint.target) == ["/v1/traces", "/x/v1/traces", "/only"])
        #expect(targets.map(\.headers.count) == [0, 1, 0] && targets.map(\.isCompressed) == [true, false, true])
        #expect(configuration.warnings.count == 1 && configuration.warnings[0].hasPrefix("VITRINE_OTLP_3_ENDPOINT"))
    }

    @Test func limitsOfSpansAndTheSpoolAreRead() {
        let configuration = ExportConfiguration(values: [
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "7", "OTEL_SPAN_EVENT_COUNT_LIMIT": "8",
            "OTEL_SPAN_LINK_COUNT_LIMIT": "9",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "10", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "11",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "12", "VITRINE_OTLP_SPOOL": "/var/lib/x",
            "VITRINE_OTLP_SPOOL_BYTES": "2000000", "OTEL_BLRP_SCHEDULE_DELAY": "5", "OTEL_METRIC_EXPORT_INTERVAL": "6",
            "OTEL_PROPAGATORS": "baggage, tracecontext",
        ])
        let limits = configuration.spanLimits
        #expect([limits.attributes, limits.events, limits.links] == [7, 8, 9])
        #expect([limits.eventAttributes, limits.linkAttributes, limits.textBytes] == [10, 11, 12])
        #expect(configuration.spoolFolder == "/var/lib/x" && configuration.spoolBytes == 2_000_000)
        #expect(configuration.logDelayMilliseconds == 5 && configuration.metricIntervalMilliseconds == 6)
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: [
        ("", 0.1, 500, 7), ("ratio=0.5", 0.5, 500, 7), ("ratio=0,slow_ms=20,drop=/a|/b", 0, 20, 2),
        ("drop=", 0.1, 500, 0),
    ])
    func rulesOfTheSamplerAreRead(text: String, ratio: Double, slow: Int, dropped: Int) throws {
        let rules = try #require(SamplingRules(text))
        #expect(rules.ratio == ratio && rules.slowMilliseconds == slow && rules.droppedRoutes.count == dropped)
        let configuration = ExportConfiguration(values: [
            "OTEL_TRACES_SAMPLER": "vitrine_rules", "OTEL_TRACES_SAMPLER_ARG": text,
        ])
        #expect(configuration.tail?.slowNanoseconds == UInt64(slow) * 1_000_000)
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: ["ratio=2", "ratio", "slow_ms=0", "slow_ms=x", "other=1", "ratio=0.1;slow_ms=5"])
    func rulesThatAreNotUnderstoodAreRefused(text: String) {
        #expect(SamplingRules(text) == nil)
    }

    @Test(
        arguments: [
            ("always_off", "foo-secret", 0...0), ("parentbased_always_off", "2", 0...0),
            ("always_on", "-secret", 200...200), ("traceidratio", "nan", 200...200),
            ("traceidratio", "1.5", 200...200), ("parentbased_traceidratio", "secret", 200...200),
            ("vitrine_rules", "ratio=secret", 0...60),
        ] as [(String, String, ClosedRange<Int>)])
    func aSamplerKeepsItsDefaultWhenItsArgumentIsUnusable(name: String, argument: String, sampled: ClosedRange<Int>) {
        let configuration = ExportConfiguration(values: [
            "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument,
        ])
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.hasPrefix("OTEL_TRACES_SAMPLER_ARG is ignored: it takes ") == true)
        #expect(configuration.warnings.first?.contains("secret") == false)
        let tracer = TelemetryCapture(sampler: configuration.sampler).telemetry.tracer
        #expect(sampled.contains((0..<200).count { _ in tracer.startSpan("x").context.isSampled }))
        #expect((configuration.tail != nil) == (name == "vitrine_rules"))
    }

    @Test func aServiceThatIsSwitchedOffDecidesNothingForOthers() {
        let off = ExportConfiguration(values: ["OTEL_SDK_DISABLED": "true", "OTEL_TRACES_SAMPLER": "always_on"])
        let parent = SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true, isRemote: true)
        let tracer = TelemetryCapture(sampler: off.sampler).telemetry.tracer
        #expect(tracer.startSpan("x", parent: TelemetryContext(span: parent)).context == parent)
        #expect(!tracer.startSpan("x", parent: TelemetryContext()).context.isValid)
    }

    @Test func exportCanBeSwitchedOff() {
        for off in ["OTEL_TRACES_EXPORTER": "none", "OTEL_SDK_DISABLED": "TRUE"] {
            let configuration = ExportConfiguration(values: [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", off.key: off.value,
            ])
            #expect(configuration.traces?.endpoint == nil)
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

    @Test func tooMuchAtOnceIsCutRatherThanLost() {
        #expect(ExportOutcome(status: 413, retryAfter: nil, body: []) == .tooLarge(errorType: "413"))
    }

    @Test(arguments: [301, 302, 400, 401, 403, 404, 408, 415, 500, 501, 505])
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
