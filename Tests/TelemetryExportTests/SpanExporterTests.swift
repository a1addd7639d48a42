import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

@Suite struct SpanExporterTests {
    private static let exported = lost("")

    private static func lost(_ reason: String) -> String {
        "otel_sdk_exporter_span_exported_total{error_type=\"\(reason)\",otel_component_name=\"otlp_http_span_exporter/0\",otel_component_type=\"otlp_http_span_exporter\"}"
    }

    private func lost(_ reason: String) -> String { Self.lost(reason) }

    private func response(_ code: Int, _ headers: [(String, String)] = [], _ body: [UInt8] = []) -> HTTPResponse {
        var fields = HTTPFields()
        for (name, value) in headers { fields.set(name, value) }
        return HTTPResponse(status: HTTPStatus(code), headers: fields, body: body.isEmpty ? .empty : .bytes(body))
    }

    /// A pipeline that exports to `url` with short waits, and the loops that it runs on.
    private func pipeline(_ url: String, _ change: (inout ExportConfiguration) -> Void = { _ in })
        -> (pipeline: TelemetryPipeline, group: EventLoopGroup, output: TestPipe)
    {
        var configuration = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        ])
        configuration.batching.scheduleDelayMilliseconds = 20
        configuration.retry.initialDelayMilliseconds = 20
        configuration.retry.maxDelayMilliseconds = 50
        configuration.changeTargets { $0.timeoutMilliseconds = 500 }
        change(&configuration)
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        return (TelemetryPipeline(configuration: configuration, group: group, output: output.writing), group, output)
    }

    private func run(
        _ answer: @escaping FakeCollector.Answer, change: (inout ExportConfiguration) -> Void = { _ in },
        _ body: (TelemetryPipeline, FakeCollector) async throws -> Void
    ) async throws {
        let collector = try await FakeCollector(answer)
        let (pipeline, group, output) = pipeline(collector.url, change)
        await pipeline.start()
        try await body(pipeline, collector)
        await pipeline.shutdown(timeoutSeconds: 4)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    @Test func spansOfAllServicesArriveInOneRequest() async throws {
        try await run(
            { [self] _ in response(200) },
            change: { configuration in
                configuration.changeTargets { $0.headers = [("x-team", "core")] }
                configuration.resourceAttributes = [("deployment.environment.name", "test")]
            }
        ) { pipeline, collector in
            let orders = pipeline.telemetry(for: "orders")
            let payments = pipeline.telemetry(for: "payments")
            await orders.tracer.withSpan("place order", kind: .server) { _ in
                await payments.tracer.withSpan("charge", kind: .client) { $0.set(AttributeKey("amount"), 5) }
            }
            #expect(await eventually { pipeline.processMetrics.value(Self.exported) == 2 })
            let request = try #require(collector.requests.first)
            #expect(collector.requests.count == 1)
            #expect(request.request.method == .post && request.request.target == "/v1/traces")
            #expect(request.request.headers["content-type"] == "application/x-protobuf")
            #expect(request.request.headers["content-encoding"] == "gzip")
            #expect(request.request.headers["x-team"] == "core")
            #expect(request.request.headers["user-agent"]?.contains("OTel-OTLP-Exporter-Swift/") == true)
            #expect(request.request.headers["traceparent"] == nil)
            let program = """
                import sys, gzip
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
                request = ExportTraceServiceRequest()
                request.ParseFromString(gzip.decompress(sys.stdin.buffer.read()))
                spans = {}
                for r in request.resource_spans:
                    resource = {a.key: a.value for a in r.resource.attributes}
                    for name in ["service.instance.id", "telemetry.sdk.name", "host.name"]:
                        assert resource[name].string_value, name
                    assert resource["service.namespace"].string_value == "vitrine"
                    assert resource["telemetry.sdk.language"].string_value == "swift"
                    assert resource["deployment.environment.name"].string_value == "test"
                    assert resource["process.pid"].int_value > 0
                    for s in r.scope_spans:
                        for span in s.spans:
                            spans[span.name] = (resource["service.name"].string_value, span)
                assert spans["place order"][0] == "orders" and spans["charge"][0] == "payments"
                assert spans["charge"][1].parent_span_id == spans["place order"][1].span_id
                assert spans["charge"][1].trace_id == spans["place order"][1].trace_id
                print("ok")
                """
            let judged = try await Judge.python(program, input: request.body)
            #expect(judged.output == "ok\n", "\(judged.errors)")
        }
    }

    @Test(arguments: [429, 502, 503, 504])
    func temporaryRefusalIsRetried(status: Int) async throws {
        try await run { [self] number in
            response(number < 3 ? status : 200)
        } _: { pipeline, collector in
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { pipeline.processMetrics.value(Self.exported) == 1 })
            #expect(collector.requests.count == 3)
            #expect(Set(collector.requests.map(\.body)).count == 1)
            #expect(
                pipeline.processMetrics.value(
                    "telemetry_export_retries_total{error_type=\"\(status)\",otel_component_name=\"otlp_http_span_exporter/0\"}"
                ) == 2)
        }
    }

    @Test(arguments: [302, 400, 401, 404, 413, 500])
    func otherRefusalIsFinalAndCounted(status: Int) async throws {
        try await run { [self] _ in
            response(status, [("Location", "/elsewhere")])
        } _: { pipeline, collector in
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { pipeline.processMetrics.value(lost("\(status)")) == 1 })
            #expect(collector.requests.count == 1)
            #expect(pipeline.processMetrics.value(Self.exported) == 0)
        }
    }

    @Test func retryAfterIsHonoured() async throws {
        let times = Mutex<[UInt64]>([])
        try await run { [self] number in
            times.withLock { $0.append(TelemetryClock.system.monotonicNanoseconds()) }
            return number == 1 ? response(429, [("Retry-After", "1")]) : response(200)
        } _: { pipeline, _ in
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { pipeline.processMetrics.value(Self.exported) == 1 })
            let arrived = times.withLock { $0 }
            #expect(arrived.count == 2 && arrived[1] - arrived[0] >= 990_000_000)
        }
    }

    @Test func partialSuccessIsCountedAndNeverRetried() async throws {
        let body: [UInt8] = [0x0A, 0x0A, 0x08, 0x02, 0x12, 0x06] + Array("no\nway".utf8)
        try await run { [self] _ in
            response(200, [("Content-Type", "application/x-protobuf")], body)
        } _: {
            pipeline, collector in
            let tracer = pipeline.telemetry(for: "orders").tracer
            for _ in 0..<5 { tracer.startSpan("x").end() }
            #expect(await eventually { pipeline.processMetrics.value(lost("rejected")) == 2 })
            #expect(pipeline.processMetrics.value(Self.exported) == 3)
            #expect(collector.requests.count == 1)
        }
    }

    @Test func garbageInA200IsSuccess() async throws {
        try await run { [self] _ in
            response(200, [], Array("<html>hello".utf8))
        } _: { pipeline, _ in
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { pipeline.processMetrics.value(Self.exported) == 1 })
        }
    }

    @Test func hangingCollectorLosesSpansByTimeOutAndHoldsNobody() async throws {
        try await run(
            { [self] _ in
                try? await Task.sleep(nanoseconds: 60_000_000_000)
                return response(200)
            },
            change: { configuration in
                configuration.changeTargets { $0.timeoutMilliseconds = 50 }
                configuration.retry.maxAttempts = 2
                configuration.batching.maxQueueSize = 100
                configuration.batching.maxExportBatchSize = 10
            }
        ) { pipeline, _ in
            let tracer = pipeline.telemetry(for: "orders").tracer
            for _ in 0..<10_000 { tracer.startSpan("x").end() }
            let metrics = pipeline.processMetrics
            let size = metrics.value(
                #"otel_sdk_processor_span_queue_size{otel_component_name="batching_span_processor/0",otel_component_type="batching_span_processor"}"#
            )
            #expect(size.map((0...100).contains) == true)
            // How many find room depends on how often the exporter comes by; each is counted as the one or the other.
            let counts = ["", "queue_full"].map {
                metrics.value(
                    "otel_sdk_processor_span_processed_total{error_type=\"\($0)\",otel_component_name=\"batching_span_processor/0\",otel_component_type=\"batching_span_processor\"}"
                ) ?? 0
            }
            #expect(counts[0] + counts[1] == 10_000)
            #expect(await eventually { (metrics.value(lost("timeout")) ?? 0) >= 10 })
        }
    }

    @Test func collectorThatComesLateGetsTheSpans() async throws {
        let listener = TestListener()
        let port = listener.port
        // The port is known and free, but nobody answers on it yet.
        let (pipeline, group, output) = pipeline("http://127.0.0.1:\(port)") { configuration in
            configuration.changeTargets { $0.timeoutMilliseconds = 1_500 }
            configuration.retry.maxAttempts = 1_000
        }
        await pipeline.start()
        pipeline.telemetry(for: "orders").tracer.startSpan("early").end()
        #expect(
            await eventually {
                (pipeline.processMetrics.value(
                    #"telemetry_export_retries_total{error_type="timeout",otel_component_name="otlp_http_span_exporter/0"}"#
                ) ?? 0) > 0
            })
        // One of the retries is answered by hand.
        var answered = false
        var connections: [TestConnection] = []
        #expect(
            await eventually {
                if let connection = listener.accept() { connections.append(connection) }
                for connection in connections where connection.read().contains("POST /v1/traces") {
                    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    answered = true
                }
                return answered && pipeline.processMetrics.value(Self.exported) == 1
            })
        await pipeline.shutdown(timeoutSeconds: 2)
        group.shutdown()
        _ = output
    }

    @Test func refusedConnectionIsRetriedAndToldOnce() async throws {
        let port = TestListener().port
        let (pipeline, group, output) = pipeline("http://127.0.0.1:\(port)") { configuration in
            configuration.retry.maxAttempts = 2
        }
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for round in 1...3 {
            tracer.startSpan("x").end()
            #expect(await eventually { pipeline.processMetrics.value(lost("connect_failed")) == Double(round) })
        }
        await pipeline.shutdown(timeoutSeconds: 2)
        group.shutdown()
        let told = output.read().split(separator: "\n").filter { $0.contains("telemetry.export_failed") }
        #expect(told.count == 1)
    }

    @Test func shutdownFlushesWhatWaits() async throws {
        let collector = try await FakeCollector { [self] _ in response(200) }
        let (pipeline, group, output) = pipeline(collector.url) { configuration in
            configuration.batching.scheduleDelayMilliseconds = 3_600_000
        }
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        // Several batches, fewer than announce themselves at the end.
        for _ in 0..<1_300 { tracer.startSpan("x").end() }
        await pipeline.shutdown(timeoutSeconds: 10)
        #expect(pipeline.processMetrics.value(Self.exported) == 1_300)
        tracer.startSpan("late").end()
        #expect(
            pipeline.processMetrics.value(
                #"otel_sdk_processor_span_processed_total{error_type="already_shutdown",otel_component_name="batching_span_processor/0",otel_component_type="batching_span_processor"}"#
            ) == 1)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    @Test func shutdownKeepsItsDeadlineWhenTheCollectorHangs() async throws {
        let listener = TestListener()
        let (pipeline, group, output) = pipeline("http://127.0.0.1:\(listener.port)") { configuration in
            configuration.changeTargets { $0.timeoutMilliseconds = 600_000 }
        }
        await pipeline.start()
        pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
        let clock = TelemetryClock.system
        let start = clock.monotonicNanoseconds()
        await pipeline.shutdown(timeoutSeconds: 1)
        // Far from the ten minutes that the collector may take, however busy the machine is.
        #expect(clock.monotonicNanoseconds() - start < 120_000_000_000)
        group.shutdown()
        _ = output
    }
}
