import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// A collector that finds a request too large (413) gets it in pieces.
@Suite struct TooLargeTests {
    private static let spans = 40

    private func count(_ pipeline: TelemetryPipeline, _ errorType: String) -> Double? {
        pipeline.processMetrics.value(
            "otel_sdk_exporter_span_exported_total{error_type=\"\(errorType)\",otel_component_name=\"otlp_http_span_exporter/0\",otel_component_type=\"otlp_http_span_exporter\"}"
        )
    }

    private func response(_ code: Int) -> HTTPResponse {
        HTTPResponse(status: HTTPStatus(code), headers: HTTPFields(), body: .empty)
    }

    /// Sends spans of two services to a collector that takes so many bytes, and one span that is larger than that.
    private func run(
        limitBytes: Int, _ values: [String: String] = [:],
        _ check: (TelemetryPipeline, _ taken: [[UInt8]], _ requests: Int) async throws -> Void
    ) async throws {
        let taken = Mutex<[[UInt8]]>([])
        let collector = try await FakeCollector { [self] _, body in
            guard body.count <= limitBytes else { return response(413) }
            taken.withLock { $0.append(body) }
            return response(200)
        }
        var values = values
        values["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        var configuration = ExportConfiguration(values: values)
        // One batch, at the end.
        configuration.batching.scheduleDelayMilliseconds = 3_600_000
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        for index in 0..<Self.spans {
            let span = pipeline.telemetry(for: index % 2 == 0 ? "orders" : "payments").tracer.startSpan("s\(index)")
            if index == 21 { span.set(AttributeKey("large"), .string(String(repeating: "x", count: 8_000))) }
            span.end()
        }
        await pipeline.shutdown(timeoutSeconds: 60)
        try await check(pipeline, taken.withLock { $0 }, collector.requests.count)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    @Test(arguments: ["http/protobuf", "http/json"])
    func isCutUntilItFitsAndOneItemThatNeverFitsIsCounted(form: String) async throws {
        try await run(limitBytes: 4_000, ["OTEL_EXPORTER_OTLP_PROTOCOL": form]) { pipeline, taken, _ in
            #expect(count(pipeline, "") == Double(Self.spans - 1))
            #expect(count(pipeline, "413") == 1)
            let program = """
                import base64, json, sys
                from google.protobuf import json_format
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
                def proto(node):
                    if isinstance(node, list): return [proto(n) for n in node]
                    if not isinstance(node, dict): return node
                    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId")
                            else proto(v) for k, v in node.items()}
                names = []
                for line in sys.stdin.read().split():
                    body = bytes.fromhex(line)
                    request = ExportTraceServiceRequest()
                    if body[:1] == b"{": json_format.ParseDict(proto(json.loads(body)), request)
                    else: request.ParseFromString(body)
                    for r in request.resource_spans:
                        service = [a.value.string_value for a in r.resource.attributes if a.key == "service.name"]
                        for c in r.scope_spans:
                            assert c.scope.name == "vitrine" and c.spans
                            for s in c.spans:
                                assert service == ["orders" if int(s.name[1:]) % 2 == 0 else "payments"], (service, s)
                                names.append(int(s.name[1:]))
                assert sorted(names) == [n for n in range(40) if n != 21], sorted(names)
                print("ok")
                """
            let lines = taken.map { body in
                body.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            }
            let judged = try await Judge.python(program, input: Array(lines.joined(separator: "\n").utf8))
            #expect(judged.output == "ok\n", "\(judged.errors)")
        }
    }

    @Test func aCompressedRequestIsCutToo() async throws {
        try await run(limitBytes: 1_200, ["OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"]) { pipeline, taken, _ in
            #expect(taken.count > 1)
            #expect(count(pipeline, "") == Double(Self.spans))
        }
    }

    @Test func aCollectorThatFindsEverythingTooLargeGetsBoundedlyManyRequests() async throws {
        try await run(limitBytes: 0) { pipeline, _, requests in
            #expect(count(pipeline, "413") == Double(Self.spans))
            #expect(requests < Self.spans)
        }
    }

    // MARK: What is remembered

    /// Spans of some 100 bytes, in batches of so many.
    private func runBatches(
        _ count: Int, of batch: Int, _ collector: FakeCollector,
        _ check: (TelemetryPipeline, _ output: TestPipe) async throws -> Void
    ) async throws {
        var configuration = ExportConfiguration(values: ["OTEL_EXPORTER_OTLP_ENDPOINT": collector.url])
        configuration.batching.scheduleDelayMilliseconds = 3_600_000
        configuration.batching.maxExportBatchSize = batch
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for number in 1...count {
            for _ in 0..<batch { tracer.startSpan("span").end() }
            // One batch after the other: what is remembered of one counts for the next.
            let metrics = pipeline.processMetrics
            #expect(
                await eventually {
                    (self.count(pipeline, "") ?? 0) + (self.count(pipeline, "413") ?? 0)
                        + (self.count(pipeline, "400") ?? 0) == Double(number * batch)
                        && metrics.value(
                            "otel_sdk_exporter_span_inflight{otel_component_name=\"otlp_http_span_exporter/0\",otel_component_type=\"otlp_http_span_exporter\"}"
                        ) == 0
                })
        }
        try await check(pipeline, output)
        await pipeline.shutdown(timeoutSeconds: 60)
        await collector.stop()
        group.shutdown()
    }

    @Test func theSizeThatACollectorTookIsRemembered() async throws {
        let refused = Mutex(0)
        let limitBytes = 12_000
        let collector = try await FakeCollector { [self] _, body in
            guard body.count > limitBytes else { return response(200) }
            refused.withLock { $0 += 1 }
            return response(413)
        }
        let (batches, batch) = (20, 400)
        try await runBatches(batches, of: batch, collector) { pipeline, _ in
            #expect(count(pipeline, "") == Double(batches * batch))
            #expect(count(pipeline, "413") == nil)
        }
        // Down to the size that fits, once.
        #expect(refused.withLock { $0 } < 8)
        #expect(collector.requests.allSatisfy { $0.body.count > 3_000 || $0.body.count <= limitBytes })
    }

    @Test(arguments: [400, 413])
    func aCollectorThatRefusesEverythingIsLeftAlone(code: Int) async throws {
        let collector = try await FakeCollector { [self] _ in response(code) }
        let (batches, batch) = (200, 40)
        let start = ContinuousClock.now
        try await runBatches(batches, of: batch, collector) { pipeline, output in
            #expect(count(pipeline, "\(code)") == Double(batches * batch))
            let told = output.read().split(separator: "\n").count { $0.contains("telemetry.export_failed") }
            #expect(told == 1)
        }
        // The halves of the first ones, eight in vain, and one after each pause however long all this took.
        let pauses = Int((ContinuousClock.now - start).components.seconds) + 1
        #expect(collector.requests.count <= 20 + pauses, "\(collector.requests.count)")
    }

    @Test func aCollectorThatWasPutRightGetsEverythingAgain() async throws {
        let isRight = Atomic<Bool>(false)
        let collector = try await FakeCollector { [self] _ in
            response(isRight.load(ordering: .relaxed) ? 200 : 413)
        }
        try await runBatches(20, of: 40, collector) { pipeline, output in
            #expect(count(pipeline, "413") == 800)
            isRight.store(true, ordering: .relaxed)
            let tracer = pipeline.telemetry(for: "orders").tracer
            #expect(
                await eventually {
                    for _ in 0..<40 { tracer.startSpan("span").end() }
                    return (count(pipeline, "") ?? 0) > 0
                })
            let taken = count(pipeline, "") ?? 0
            for _ in 0..<400 { tracer.startSpan("span").end() }
            #expect(await eventually { (count(pipeline, "") ?? 0) >= taken + 400 })
            var log = ""
            #expect(
                await eventually {
                    log += output.read()
                    return log.contains("telemetry.export_recovered")
                })
        }
    }

    // MARK: Every signal, every form

    private func singles(_ message: OTLPMessage, _ signal: OTLPSignal) -> [OTLPMessage] {
        guard let parts = message.parts(signal, limitBytes: 1) else { return [message] }
        return parts.flatMap { singles($0, signal) }
    }

    private func metricMessage(_ format: OTLPFormat) throws -> OTLPMessage {
        let metrics = MetricRegistry()
        for index in 0..<5 {
            metrics.counter(Counter("a_total", help: "A.", labels: ["x"])).series("\(index)\"\\{[,").increment()
            metrics.histogram(Histogram("b_seconds", unit: .seconds, help: "B.", labels: ["x"])).series("\(index)")
                .record(1)
            metrics.gauge(Gauge("c", help: "C.", labels: ["x"])).series("\(index)").set(2)
        }
        let services = [
            (resource: ServiceResource(name: "orders"), metrics: metrics),
            (resource: ServiceResource(name: "payments"), metrics: metrics),
        ]
        let requests = OTLPMetricEncoder(startNanoseconds: 1, nowNanoseconds: 2).requests(services)
        let request = try #require(requests.first)
        return try #require(
            request.body.withUnsafeBytes {
                OTLPEncoding(.metrics).messages($0, itemCount: request.pointCount, [format]).first
            })
    }

    @Test(arguments: [false, true], [false, true])
    func dataPointsAreCutApartAndEachIsThereOnce(isJSON: Bool, isCompressed: Bool) async throws {
        let message = try metricMessage(OTLPFormat(isJSON: isJSON, isCompressed: isCompressed))
        let parts = singles(message, .metrics)
        #expect(parts.count == message.itemCount)
        #expect(parts.allSatisfy { $0.itemCount == 1 })
        let program = """
            import gzip, json, sys
            from google.protobuf import json_format
            from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
            def points(line):
                body = bytes.fromhex(line)
                if body[:2] == b"\\x1f\\x8b": body = gzip.decompress(body)
                request = ExportMetricsServiceRequest()
                if body[:1] == b"{": json_format.ParseDict(json.loads(body), request)
                else: request.ParseFromString(body)
                for r in request.resource_metrics:
                    for c in r.scope_metrics:
                        for m in c.metrics:
                            kind = m.WhichOneof("data")
                            d = getattr(m, kind)
                            assert kind == "gauge" or d.aggregation_temporality == 2
                            for p in d.data_points: yield repr((r.resource, m.name, m.description, m.unit, kind, p))
            lines = sys.stdin.read().split()
            parts = [list(points(line)) for line in lines[1:]]
            assert all(len(p) == 1 for p in parts)
            assert sorted(p[0] for p in parts) == sorted(points(lines[0]))
            print("ok")
            """
        let lines = ([message] + parts).map { message in
            message.body.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let judged = try await Judge.python(program, input: Array(lines.joined(separator: "\n").utf8))
        #expect(judged.output == "ok\n", "\(judged.errors)")
    }

    @Test func bytesThatAreNoRequestAreNotCutAndNeverBreakAnything() throws {
        var random = SeededGenerator(seed: 413)
        for isJSON in [false, true] {
            let whole = try metricMessage(OTLPFormat(isJSON: isJSON, isCompressed: false))
            for _ in 0..<600 {
                var body = whole.body
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    body[Int.random(in: body.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if Bool.random(using: &random) { body.removeLast(Int.random(in: 0..<body.count, using: &random)) }
                _ = OTLPMessage(body: body, itemCount: 20, format: whole.format)
                    .parts(.metrics, limitBytes: Int.random(in: 1...3_000, using: &random))
            }
            #expect(OTLPMessage(body: [], itemCount: 2, format: whole.format).parts(.metrics, limitBytes: 100) == nil)
            if isJSON {
                #expect(
                    OTLPMessage(body: whole.body, itemCount: 2, format: whole.format).parts(.logs, limitBytes: 100)
                        == nil)
            }
        }
        let gzip = OTLPFormat(isJSON: false, isCompressed: true)
        #expect(OTLPMessage(body: [0x1F, 0x8B, 8], itemCount: 2, format: gzip).parts(.traces, limitBytes: 100) == nil)
    }
}

/// The same numbers in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
