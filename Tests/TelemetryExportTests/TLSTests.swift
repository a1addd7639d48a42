import EventLoop
import Glibc
import HTTP
import HTTPCodec
import TLS
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// Collectors and Logstash by TLS, against Python's `ssl` and certificates made by `openssl`.
@Suite struct TLSTests {
    private static let event = LogEvent("test.line", help: "A line of a test.")

    private func count(_ pipeline: TelemetryPipeline, _ errorType: String) -> Double {
        pipeline.processMetrics.value(
            "otel_sdk_exporter_span_exported_total{error_type=\"\(errorType)\",otel_component_name=\"otlp_http_span_exporter/0\",otel_component_type=\"otlp_http_span_exporter\"}"
        ) ?? 0
    }

    /// Sends one span of many bytes to a peer and gives the pipeline to `check` before it is shut down.
    private func export(
        to url: String, _ values: [String: String],
        _ check: (TelemetryPipeline) async throws -> Void
    ) async throws -> String {
        var values = values
        values["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        values["OTEL_EXPORTER_OTLP_COMPRESSION"] = "none"
        var configuration = ExportConfiguration(values: values)
        #expect(configuration.warnings.isEmpty)
        configuration.batching.scheduleDelayMilliseconds = 20
        configuration.retry.maxAttempts = 1
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for _ in 0..<100 {
            let span = tracer.startSpan("x")
            span.set(AttributeKey("filling"), .string(String(repeating: "x", count: 2_000)))
            span.end()
        }
        try await check(pipeline)
        await pipeline.shutdown(timeoutSeconds: 5)
        group.shutdown()
        return output.read()
    }

    @Test func spansReachACollectorWhoseAuthorityIsTrusted() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.http, certificates)
        for host in ["127.0.0.1", "localhost"] {
            _ = try await export(
                to: "https://\(host):\(peer.port)", ["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority]
            ) { pipeline in
                #expect(await eventually { count(pipeline, "") == 100 })
            }
        }
        let requests = peer.text().split(separator: "\n").map { $0.split(separator: " ") }
        #expect(requests.allSatisfy { $0.first == "TLSv1.3" })
        // Names are told to the peer, addresses are not (RFC 6066, section 3).
        #expect(requests.first?.last == "[None]" && requests.last?.last == "['localhost']")
        // More than one record of TLS each.
        let bytes = requests.compactMap { Int($0[1]) }.reduce(0, +)
        #expect(bytes > 2 * 100 * 2_000)
    }

    @Test(arguments: [
        ("expired", "tls_certificate_expired", "has expired"), ("other", "tls_wrong_host", "is not that of"),
        ("server", "tls_unknown_authority", "nobody who is trusted"),
    ])
    func aPeerThatIsNotToBeTrustedGetsNothing(name: String, errorType: String, words: String) async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.http, certificates, name)
        let authority =
            errorType == "tls_unknown_authority" ? certificates.certificate("stranger") : certificates.authority
        let log = try await export(
            to: "https://127.0.0.1:\(peer.port)", ["OTEL_EXPORTER_OTLP_CERTIFICATE": authority]
        ) { pipeline in
            #expect(await eventually { count(pipeline, errorType) == 100 })
            #expect(count(pipeline, "") == 0)
        }
        #expect(log.contains("telemetry.export_failed") && log.contains(words), "\(log)")
        #expect(peer.text().isEmpty)
    }

    @Test func withoutSettingsTheSystemsAuthoritiesAreTrustedOnly() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.http, certificates)
        _ = try await export(to: "https://127.0.0.1:\(peer.port)", [:]) { pipeline in
            #expect(await eventually { count(pipeline, "tls_unknown_authority") == 100 })
        }
    }

    @Test func anOldVersionIsRefused() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.old, certificates)
        _ = try await export(
            to: "https://127.0.0.1:\(peer.port)", ["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority]
        ) { pipeline in
            #expect(await eventually { count(pipeline, "tls_handshake_failed") == 100 })
        }
    }

    @Test func aPeerThatNeverAnswersTheHandshakeIsGivenUp() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.silent, certificates)
        _ = try await export(
            to: "https://127.0.0.1:\(peer.port)",
            ["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority, "OTEL_EXPORTER_OTLP_TIMEOUT": "300"]
        ) { pipeline in
            #expect(await eventually { count(pipeline, "timeout") == 100 })
        }
    }

    @Test func aPeerThatSpeaksNoTLSIsRefused() async throws {
        let certificates = try await TestCertificates.shared()
        let plain = try await FakeCollector { _ in
            HTTPResponse(status: HTTPStatus(200), headers: HTTPFields(), body: .empty)
        }
        _ = try await export(
            to: plain.url.replacing("http://", with: "https://"),
            ["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority]
        ) { pipeline in
            #expect(await eventually { count(pipeline, "tls_handshake_failed") == 100 })
        }
        #expect(plain.requests.isEmpty)
        await plain.stop()
    }

    @Test func aCollectorMayWantOurCertificate() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.http, certificates, wantsClient: true)
        let url = "https://127.0.0.1:\(peer.port)"
        var values = ["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority]
        _ = try await export(to: url, values) { pipeline in
            // The peer's alert comes after the handshake (RFC 8446, section 4.4.2.4), or the end of the connection does.
            func refused() -> Double {
                count(pipeline, "tls_protocol_error") + count(pipeline, "tls_truncated")
                    + count(pipeline, "disconnected")
            }
            #expect(await eventually { refused() == 100 })
        }
        values["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"] = certificates.certificate("client")
        values["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"] = certificates.key("client")
        _ = try await export(to: url, values) { pipeline in
            #expect(await eventually { count(pipeline, "") == 100 })
        }
    }

    @Test func filesThatCannotBeUsedAreToldOfByTheirVariable() async throws {
        let certificates = try await TestCertificates.shared()
        func warnings(_ values: [String: String]) -> [String] { ExportConfiguration(values: values).warnings }
        let pair = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
        #expect(
            warnings([
                "OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.authority, pair: certificates.certificate("client"),
                "OTEL_EXPORTER_OTLP_CLIENT_KEY": certificates.key("client"),
            ]).isEmpty)
        for (values, name) in [
            (["OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.key("client")], "OTEL_EXPORTER_OTLP_CERTIFICATE"),
            ([pair: certificates.certificate("client")], pair),
            (
                [
                    pair: certificates.certificate("client"),
                    "OTEL_EXPORTER_OTLP_CLIENT_KEY": certificates.key("server"),
                ], pair
            ),
            (["LOGSTASH_CERTIFICATE": "/nowhere"], "LOGSTASH_CERTIFICATE"),
        ] {
            let told = warnings(values)
            #expect(told.count == 1 && told.first?.hasPrefix(name) == true, "\(told)")
            #expect(told.first?.contains(certificates.folder.path) == false)
        }
    }

    // MARK: New files

    /// Puts a copy of a file in the place of another, as whoever renews certificates does.
    private func replace(_ path: String, by other: String) throws {
        try #require(ChildProcess.run("cp", [other, path + ".new"]).status == 0)
        try #require(rename(path + ".new", path) == 0)
    }

    @Test func anAuthorityThatWasReplacedIsTrustedFromTheNextConnectionOn() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.http, certificates)
        let folder = TemporaryFolder()
        let trusted = folder.path + "/trusted.pem"
        try replace(trusted, by: certificates.certificate("stranger"))
        _ = try await export(
            to: "https://127.0.0.1:\(peer.port)", ["OTEL_EXPORTER_OTLP_CERTIFICATE": trusted]
        ) { pipeline in
            #expect(await eventually { count(pipeline, "tls_unknown_authority") == 100 })
            try replace(trusted, by: certificates.authority)
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { count(pipeline, "") == 1 })
        }
    }

    /// Whether Logstash gets a connection; the reason why not.
    private func problem(_ port: UInt16, _ context: TLSContext) -> String? {
        do throws(LogstashConnection.Failure) {
            guard let address = HostAndPort("127.0.0.1:\(port)") else { return "no address" }
            _ = try LogstashConnection(address, tls: context)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func filesAreReadAgainWhenTheyChangeAndUnusableOnesChangeNothing() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.lines, certificates, wantsClient: true)
        let folder = TemporaryFolder()
        let (trusted, certificate, key) = (
            folder.path + "/trusted.pem", folder.path + "/client.pem", folder.path + "/client.key"
        )
        try replace(trusted, by: certificates.authority)
        try replace(certificate, by: certificates.certificate("server"))
        try replace(key, by: certificates.key("server"))
        let context = try TLSContext(.init(authorities: trusted, certificate: certificate, key: key))
        #expect(problem(peer.port, context) == nil)
        // Between two renames the certificate and the key do not belong together.
        try replace(certificate, by: certificates.certificate("client"))
        #expect(problem(peer.port, context) == nil)
        try replace(key, by: certificates.key("client"))
        #expect(problem(peer.port, context) == nil)
        folder.write("trusted.pem", Array("no certificate".utf8))
        #expect(problem(peer.port, context) == nil)
        try #require(unlink(trusted) == 0)
        #expect(problem(peer.port, context) == nil)
        try replace(trusted, by: certificates.certificate("stranger"))
        #expect(problem(peer.port, context)?.contains("nobody who is trusted") == true)
        try replace(trusted, by: certificates.authority)
        #expect(problem(peer.port, context) == nil)
    }

    // MARK: Logstash

    @Test func linesReachLogstashByTLSWholeAndInOrder() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.lines, certificates)
        let values = [
            "LOGSTASH_ADDRESS": "localhost:\(peer.port)", "LOGSTASH_TLS": "true",
            "LOGSTASH_CERTIFICATE": certificates.authority,
        ]
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(
            configuration: ExportConfiguration(values: values), group: group, output: output.writing)
        await pipeline.start()
        let logger = pipeline.telemetry(for: "orders").logger
        for index in 0..<300 { logger.log(Self.event, "line \(index) " + String(repeating: "x", count: 4_000)) }
        #expect(await eventually { peer.text().contains("line 299 ") })
        await pipeline.shutdown(timeoutSeconds: 5)
        group.shutdown()
        let lines = peer.text().split(separator: "\n").filter { $0.contains("test.line") }
        #expect(lines.count == 300)
        for (index, line) in lines.enumerated() {
            #expect(line.contains("\"message\":\"line \(index) ") && line.hasPrefix("{") && line.hasSuffix("}"))
        }
        _ = output
    }

    @Test func logstashThatIsNotToBeTrustedGetsNothingAndTheLogSaysWhy() async throws {
        let certificates = try await TestCertificates.shared()
        let peer = try await TLSPeer(.lines, certificates, "other")
        let values = [
            "LOGSTASH_ADDRESS": "127.0.0.1:\(peer.port)", "LOGSTASH_TLS": "true",
            "LOGSTASH_CERTIFICATE": certificates.authority,
        ]
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(
            configuration: ExportConfiguration(values: values), group: group, output: output.writing)
        await pipeline.start()
        pipeline.telemetry(for: "orders").logger.log(Self.event, "secret")
        var log = ""
        #expect(
            await eventually {
                log += output.read()
                return log.contains("the certificate is not that of 127.0.0.1")
            })
        #expect(log.contains("telemetry.logstash_unreachable"))
        await pipeline.shutdown(timeoutSeconds: 1)
        group.shutdown()
        #expect(peer.text().isEmpty)
        let lost = #"telemetry_log_lines_dropped_total{destination="logstash",reason="buffer_full"}"#
        #expect(await eventually { (pipeline.processMetrics.value(lost) ?? 0) > 0 })
    }
}
