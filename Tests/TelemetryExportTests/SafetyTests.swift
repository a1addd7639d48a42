import EventLoop
import Glibc
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// Whatever is in trouble behind telemetry, requests go on: what they record never waits, memory has its bound, and what
/// is lost is counted. `docs/telemetry-export.md` has the table of all faults; `make bench` measures their latency.
@Suite struct SafetyTests {
    enum Fault: CaseIterable, CustomTestStringConvertible {
        case none, collectorIsGone, collectorHangs, collectorAnswers400, collectorAnswers413, collectorAnswers429,
            collectorAnswers503, collectorRedirects, collectorIsSlow, collectorTalksNonsense, collectorBreaksOff,
            logstashIsGone, logstashNeverReads, outputIsAFullPipe, spoolIsFull

        var testDescription: String { "\(self)" }
        var isOfLines: Bool { self == .logstashIsGone || self == .logstashNeverReads || self == .outputIsAFullPipe }
    }

    private static let requests = 2_500
    /// Where lines are in trouble they are so long that all together are several times what the queues hold.
    private static let filling = String(repeating: "x", count: 8_000)
    private static let served = LogEvent("test.served", help: "A request of a test.", maxRepeatsPerSecond: 0)
    /// Waits for a lock that the exporter or the writer holds for an instant: a few for each time that they come by. To
    /// write, connect or send would wait once for each request.
    private static let maxWaits = requests / 10
    /// Everything that may be kept at once, by the bounds in the sources, and what the allocator keeps besides.
    private static let maxGrowthBytes = 160.0 * 1024 * 1024

    /// What answers as the fault says, and must live as long as it does.
    private struct Peers {
        var values: [String: String] = [:]
        var collector: FakeCollector?
        var listeners: [TestListener] = []
        var folder: TemporaryFolder?
    }

    private func peers(_ fault: Fault) async throws -> Peers {
        var peers = Peers()
        let silent = TestListener()
        peers.listeners = [silent]
        switch fault {
        case .none, .outputIsAFullPipe: peers.collector = try await collector(200)
        case .collectorIsGone: peers.values["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:\(TestListener().port)"
        case .collectorHangs: peers.values["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:\(silent.port)"
        case .collectorAnswers400: peers.collector = try await collector(400)
        case .collectorAnswers413: peers.collector = try await collector(413)
        case .collectorAnswers429: peers.collector = try await collector(429, "Retry-After", "0")
        case .collectorAnswers503: peers.collector = try await collector(503)
        case .collectorRedirects: peers.collector = try await collector(307, "Location", "http://127.0.0.1:1/")
        case .collectorIsSlow: peers.collector = try await collector(200, afterMilliseconds: 50)
        case .collectorTalksNonsense: peers.collector = try await collector(200, body: "\u{1}\u{2}<html>")
        case .collectorBreaksOff: peers.collector = try await collector(500)
        case .logstashIsGone: peers.values["LOGSTASH_ADDRESS"] = "127.0.0.1:\(TestListener().port)"
        case .logstashNeverReads: peers.values["LOGSTASH_ADDRESS"] = "127.0.0.1:\(silent.port)"
        case .spoolIsFull:
            let folder = TemporaryFolder()
            peers.folder = folder
            peers.values["VITRINE_OTLP_SPOOL"] = folder.path
            peers.collector = try await collector(503)
        }
        if let collector = peers.collector { peers.values["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url }
        return peers
    }

    private func collector(
        _ code: Int, _ name: String = "x-nothing", _ value: String = "", body: String = "",
        afterMilliseconds: UInt64 = 0
    ) async throws -> FakeCollector {
        try await FakeCollector { _ in
            var fields = HTTPFields()
            fields.set(name, value)
            if afterMilliseconds > 0 { try? await Task.sleep(nanoseconds: afterMilliseconds * 1_000_000) }
            return HTTPResponse(
                status: HTTPStatus(code), headers: fields, body: body.isEmpty ? .empty : .bytes(Array(body.utf8)))
        }
    }

    /// What a request tells: a span, a count, a duration and a line.
    private struct Recorder: Sendable {
        let telemetry: Telemetry
        let text: String
        let count: CounterSeries
        let duration: HistogramSeries

        init(_ telemetry: Telemetry, text: String) {
            self.telemetry = telemetry
            self.text = text
            count = telemetry.metrics.counter(Counter("served_total", help: "Requests.")).series()
            duration = telemetry.metrics.histogram(Histogram("served_seconds", unit: .seconds, help: "Requests."))
                .series()
        }

        func record() {
            let span = telemetry.tracer.startSpan("GET /", kind: .server)
            span.set(AttributeKey("http.route"), "/")
            count.increment()
            duration.record(0.001, exemplar: span.context)
            telemetry.logger.log(SafetyTests.served, text)
            span.end()
        }
    }

    /// How often this thread has waited for anything so far.
    private static func waits() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(1), &usage)
        return usage.ru_nvcsw
    }

    private func sum(_ metrics: MetricRegistry, _ prefix: String) -> Double {
        let text = String(decoding: MetricsExposition.render(metrics, format: .fallback), as: UTF8.self)
        return text.split(separator: "\n").filter { $0.hasPrefix(prefix) }.reduce(0) { sum, line in
            sum + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0)
        }
    }

    @Test(arguments: Fault.allCases)
    func whatARequestRecordsNeverWaitsIsBoundedAndCounted(fault: Fault) async throws {
        let peers = try await peers(fault)
        var configuration = ExportConfiguration(values: peers.values)
        configuration.batching.scheduleDelayMilliseconds = 10
        configuration.batching.maxQueueSize = 512
        configuration.batching.maxExportBatchSize = 128
        configuration.retry.initialDelayMilliseconds = 5
        configuration.retry.maxDelayMilliseconds = 10
        configuration.retry.maxAttempts = 2
        if fault == .spoolIsFull { configuration.spoolBytes = 16 * 1024 }
        configuration.changeTargets { $0.timeoutMilliseconds = 200 }
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        let recorder = Recorder(
            pipeline.telemetry(for: "orders"), text: fault.isOfLines ? Self.filling : "request served")
        await pipeline.start()
        let reader = fault == .outputIsAFullPipe ? nil : PipeReader(output)
        let metrics = pipeline.processMetrics
        let before = metrics.value("process_resident_memory_bytes") ?? .infinity

        // On a thread of its own, so that what is counted is the recording and nothing else.
        let thread = WorkerPool(threads: 1, capacity: 1, name: "requests")
        let waits = try await thread.run {
            recorder.record()
            let start = Self.waits()
            for _ in 0..<Self.requests { recorder.record() }
            return Self.waits() - start
        }
        thread.shutdown()
        #expect(waits < Self.maxWaits)
        #expect((metrics.value("process_resident_memory_bytes") ?? .infinity) - before < Self.maxGrowthBytes)
        #expect(sum(metrics, "otel_sdk_processor_span_queue_size") <= 512)
        for (destination, bound) in [("stdout", LogWriter.queueBytes), ("logstash", LogstashShipper.queueBytes)] {
            #expect(sum(metrics, "telemetry_log_queue_bytes{destination=\"\(destination)\"}") <= Double(bound))
        }

        // The whole way: a request to a server on the loop that exports, too.
        let server = HTTPServer(configuration: .init(), group: group) { _ in
            recorder.record()
            return HTTPResponse(status: HTTPStatus(204), headers: HTTPFields(), body: .empty)
        }
        try await server.start()
        let client = HTTPClient(group: group, telemetry: nil)
        for _ in 0..<20 {
            let response = try await client.send(
                HTTPRequest(method: .get, target: "/"), to: "http://127.0.0.1:\(server.port)",
                timeoutMilliseconds: 60_000)
            #expect(response.status.code == 204)
        }
        await client.shutdown()
        await server.drain(timeoutSeconds: 5)

        let exposed = String(
            decoding: MetricsExposition.render(recorder.telemetry.metrics, format: .fallback), as: UTF8.self)
        #expect(exposed.contains("served_total \(Self.requests + 21)\n"))
        await pipeline.shutdown(timeoutSeconds: 2)
        let all = Double(Self.requests + 21)
        if peers.values["OTEL_EXPORTER_OTLP_ENDPOINT"] != nil {
            // Every span is in exactly one count, or on disk.
            #expect(sum(metrics, "otel_sdk_processor_span_processed_total{") == all)
            let taken = sum(metrics, #"otel_sdk_processor_span_processed_total{error_type="","#)
            if fault != .spoolIsFull {
                #expect(await eventually { sum(metrics, "otel_sdk_exporter_span_exported_total{") == taken })
            } else {
                #expect(sum(metrics, #"otel_sdk_exporter_span_exported_total{error_type="spool_full""#) > 0)
                #expect(sum(metrics, "telemetry_export_spool_bytes") <= 16 * 1024)
            }
        }
        if let reader {
            // Every line was written or counted; the pipeline's own are few.
            func told() -> Double {
                ["all", "stdout"].reduce(Double(reader.lines)) { sum, destination in
                    sum + self.sum(metrics, "telemetry_log_lines_dropped_total{destination=\"\(destination)\"")
                }
            }
            #expect(await eventually { told() >= all })
            _ = await reader.finish()
            #expect(told() < all + 50)
        } else {
            #expect(sum(metrics, "telemetry_log_lines_dropped_total{") > 0)
        }
        if fault == .logstashIsGone || fault == .logstashNeverReads {
            let lost = #"telemetry_log_lines_dropped_total{destination="logstash",reason="buffer_full"}"#
            #expect(await eventually { (metrics.value(lost) ?? 0) > 0 })
        }
        await peers.collector?.stop()
        group.shutdown()
        _ = (peers.listeners, peers.folder)
    }

    /// The table of the documentation names tests; each of them exists.
    @Test func everyFaultOfTheTableHasATest() throws {
        func read(_ path: String) throws -> String {
            try ChildProcess.run("cat", [ChildProcess.packageRoot + "/" + path]).output
        }
        let rows = try read("docs/telemetry-export.md").split(separator: "\n").filter {
            $0.hasPrefix("|") && $0.contains("`Tests/")
        }
        #expect(rows.count >= 18)
        for row in rows {
            let names = row.matches(of: /`(Tests\/[A-Za-z\/]+)\.([A-Za-z0-9]+)`/)
            #expect(!names.isEmpty, "\(row)")
            for name in names {
                let text = try read(String(name.output.1) + ".swift")
                #expect(text.contains("func \(name.output.2)("), "\(name.output.0)")
            }
        }
    }
}
