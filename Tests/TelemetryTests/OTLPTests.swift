import Glibc
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@Suite struct OTLPTests {
    /// The requests that the exporter would send for these spans.
    private func requests(_ spans: [Span]) -> [(body: [UInt8], spanCount: Int)] {
        let processor = BatchSpanProcessor(metrics: MetricRegistry()) {}
        for span in spans { processor.spanEnded(span) }
        let encoder = OTLPBatchEncoder(processor.queue)
        var result: [(body: [UInt8], spanCount: Int)] = []
        while case let batch = processor.drain(), !batch.isEmpty {
            result.append((encoder.withRequest(batch) { Array($0) }, batch.count))
            processor.recycle(batch)
        }
        return result
    }

    @Test func spansAreDecodedByOpenTelemetryProto() throws {
        let clock = ManualClock(wallNanoseconds: 1_700_000_000_000_000_000)
        let orders = TelemetryCapture(serviceName: "orders", clock: clock)
        let payments = TelemetryCapture(serviceName: "payments", clock: clock)
        let remote = SpanContext(
            traceID: TraceID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), spanID: SpanID(0x1112),
            isSampled: true, traceState: "v=1", isRemote: true)
        let span = orders.telemetry.tracer.startSpan(
            "POST /orders", kind: .server, parent: TelemetryContext(span: remote),
            links: [SpanLink(remote, attributes: [Attribute(AttributeKey("why"), "test")])])
        span.set(AttributeKey("text"), "é\u{0}\"")
        span.set(AttributeKey("empty"), "")
        span.set(AttributeKey("negative"), -5)
        span.set(AttributeKey("double"), .double(0.5))
        span.set(AttributeKey("flag"), .bool(false))
        span.set(AttributeKey("list"), .strings(["a", "", "ccc"]))
        span.set(AttributeKey("user.password"), "hunter2")
        span.set(AttributeKey("long"), String(repeating: "x", count: 16_000))
        span.addEvent("retry", [Attribute(AttributeKey("attempt"), 2)])
        span.recordError(type: "timeout", description: "too slow")
        clock.advance(nanoseconds: 123)
        span.end()
        let other = payments.telemetry.tracer.startSpan("charge", kind: .producer)
        other.setStatus(.ok)
        other.end()
        let body = try #require(requests(orders.endedSpans + payments.endedSpans).first).body
        let program = """
            import sys
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
            request = ExportTraceServiceRequest()
            request.ParseFromString(sys.stdin.buffer.read())
            services = [{a.key: a.value for a in r.resource.attributes}["service.name"].string_value
                        for r in request.resource_spans]
            assert services == ["orders", "payments"], services
            scope = request.resource_spans[0].scope_spans[0]
            assert scope.scope.name == "vitrine" and scope.scope.version
            span, = scope.spans
            assert span.trace_id.hex() == "0102030405060708090a0b0c0d0e0f10"
            assert span.parent_span_id.hex() == "0000000000001112" and len(span.span_id) == 8
            assert span.trace_state == "v=1" and span.name == "POST /orders" and span.kind == 2
            assert span.start_time_unix_nano == 1700000000000000000
            assert span.end_time_unix_nano == 1700000000000000123
            a = {x.key: x.value for x in span.attributes}
            assert a["text"].string_value == "é\\x00\\"" and a["negative"].int_value == -5
            assert a["empty"].HasField("string_value") and a["empty"].string_value == ""
            assert a["double"].double_value == 0.5
            assert a["flag"].HasField("bool_value") and a["flag"].bool_value is False
            assert [v.string_value for v in a["list"].array_value.values] == ["a", "", "ccc"]
            assert a["user.password"].string_value == "[redacted]"
            assert len(a["long"].string_value) == 16000
            assert a["error.type"].string_value == "timeout"
            assert span.status.code == 2 and span.status.message == "too slow"
            assert span.events[0].name == "retry" and span.events[0].attributes[0].value.int_value == 2
            assert span.events[0].time_unix_nano == 1700000000000000000
            link, = span.links
            assert link.span_id.hex() == "0000000000001112" and link.attributes[0].value.string_value == "test"
            assert link.flags == 0x301 and span.flags == 0x301, (link.flags, span.flags)
            second, = request.resource_spans[1].scope_spans[0].spans
            assert second.kind == 4 and second.status.code == 1 and second.parent_span_id == b""
            print("ok")
            """
        let result = try ChildProcess.python(program, input: body)
        #expect(result.output == "ok\n", "\(result.errors)")
    }

    @Test func largeBatchesAreSplitAndNothingIsLost() throws {
        let capture = TelemetryCapture(serviceName: "big")
        for index in 0..<120 {
            let span = capture.telemetry.tracer.startSpan("span \(index)")
            for key in 0..<2 { span.set(AttributeKey("k\(key)"), String(repeating: "v", count: 15_000)) }
            span.end()
        }
        let requests = requests(capture.endedSpans)
        #expect(requests.count == 1)
        #expect(requests.reduce(0) { $0 + $1.spanCount } == 120)
        let program = """
            import sys
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
            request = ExportTraceServiceRequest()
            request.ParseFromString(sys.stdin.buffer.read())
            print(sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans))
            """
        for request in requests {
            #expect(request.body.count <= 4 * 1024 * 1024)
            #expect(try ChildProcess.python(program, input: request.body).output == "\(request.spanCount)\n")
        }
    }

    @Test func standardResourceNamesTheService() throws {
        let resource = ServiceResource.standard(
            serviceName: "orders",
            overrides: [("deployment.environment.name", "test"), ("service.name", "x"), ("host.name", "h")])
        let values = Dictionary(uniqueKeysWithValues: resource.attributes.map { ($0.key.name, $0.value) })
        #expect(resource.name == "orders")
        #expect(values["service.namespace"] == "vitrine")
        #expect(values["telemetry.sdk.language"] == "swift")
        #expect(values["host.name"] == "h")
        #expect(values["deployment.environment.name"] == "test")
        #expect(values["service.name"] == nil)
        #expect(ServiceResource.standard(serviceName: "orders").attributes != resource.attributes)
    }

    @Test func responsesAreReadAndGarbageIsRefused() {
        #expect(OTLPResponse([])?.rejectedItems == 0)
        // partial_success { rejected_spans: 300, error_message: "no" }
        let partial = OTLPResponse([0x0A, 0x07, 0x08, 0xAC, 0x02, 0x12, 0x02, 0x6E, 0x6F])
        #expect(partial?.rejectedItems == 300)
        #expect(partial?.errorMessage == "no")
        #expect(OTLPResponse([0x0A, 0x00])?.rejectedItems == 0)
        for garbage in [[0xFF], [0x0A, 0x7F, 0x01], Array("<html>".utf8), [0x0A, 0x02, 0x08, 0xFF]] as [[UInt8]] {
            #expect(OTLPResponse(garbage) == nil)
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = OTLPResponse(bytes)
        }
    }
}

@Suite struct BatchSpanProcessorTests {
    private func telemetry(_ processor: BatchSpanProcessor) -> Telemetry {
        Telemetry(resource: ServiceResource(name: "x"), sampler: .alwaysOn, spanSink: processor, logSink: nil)
    }

    @Test func fullQueueDropsAndCounts() throws {
        let metrics = MetricRegistry()
        var configuration = BatchSpanProcessor.Configuration()
        configuration.maxQueueSize = 10
        configuration.maxExportBatchSize = 4
        let processor = BatchSpanProcessor(configuration: configuration, metrics: metrics) {}
        let telemetry = telemetry(processor)
        // One thread, so that one queue fills.
        ThreadGroup(count: 1) { for index in 0..<25 { telemetry.tracer.startSpan("\(index)").end() } }.join()
        #expect(processor.count == 10)
        var taken: [Int] = []
        while case let batch = processor.drain(), !batch.isEmpty {
            #expect(batch.count <= 4)
            taken.append(batch.count)
        }
        #expect(taken == [4, 4, 2])
        processor.shutdown()
        telemetry.tracer.startSpan("late").end()
        let text = String(decoding: MetricsExposition.render(metrics, format: .fallback), as: UTF8.self)
        #expect(
            text.contains(
                "otel_sdk_processor_span_processed_total{error_type=\"\",otel_component_name=\"batching_span_processor/0\",otel_component_type=\"batching_span_processor\"} 10\n"
            ))
        #expect(
            text.contains(
                "otel_sdk_processor_span_processed_total{error_type=\"queue_full\",otel_component_name=\"batching_span_processor/0\",otel_component_type=\"batching_span_processor\"} 15\n"
            ))
        #expect(
            text.contains(
                "otel_sdk_processor_span_processed_total{error_type=\"already_shutdown\",otel_component_name=\"batching_span_processor/0\",otel_component_type=\"batching_span_processor\"} 1\n"
            ))
        #expect(
            text.contains(
                "otel_sdk_processor_span_queue_size{otel_component_name=\"batching_span_processor/0\",otel_component_type=\"batching_span_processor\"} 0\n"
            ))
    }

    @Test func theSizeThatIsShownIsThatOfWhatTheCapacityBounds() {
        let metrics = MetricRegistry()
        var configuration = BatchSpanProcessor.Configuration()
        configuration.maxQueueSize = 10
        let processor = BatchSpanProcessor(configuration: configuration, metrics: metrics) {}
        let telemetry = telemetry(processor)
        func shown(_ name: String) -> Substring? {
            let text = String(decoding: MetricsExposition.render(metrics, format: .fallback), as: UTF8.self)
            return text.split(separator: "\n").first { $0.hasPrefix("otel_sdk_processor_span_queue_\(name){") }?
                .split(separator: " ").last
        }
        #expect(shown("size") == "0" && shown("capacity") == "10")
        // Threads that live at the same time have queues of their own.
        let recorded = metrics.counter(Counter("recorded_total", help: "Threads that are done.")).series()
        ThreadGroup(count: 4) {
            for _ in 0..<25 { telemetry.tracer.startSpan("x").end() }
            recorded.increment()
            while recorded.value < 4 { sched_yield() }
        }.join()
        // Several queues are full; the sum of them is beyond the capacity of each.
        #expect(processor.count > 10)
        #expect(shown("size") == "10" && shown("capacity") == "10")
    }

    @Test func wholeBatchIsAnnouncedOnceUntilItIsDrained() {
        let announced = MetricRegistry()
        let count = announced.counter(Counter("announced_total", help: "Announced.")).series()
        var configuration = BatchSpanProcessor.Configuration()
        configuration.maxExportBatchSize = 4
        let processor = BatchSpanProcessor(configuration: configuration, metrics: announced) { count.increment() }
        let telemetry = telemetry(processor)
        for _ in 0..<3 { telemetry.tracer.startSpan("x").end() }
        #expect(count.value == 0)
        for _ in 0..<6 { telemetry.tracer.startSpan("x").end() }
        #expect(count.value == 1)
        _ = processor.drain()
        telemetry.tracer.startSpan("x").end()
        #expect(count.value == 2)
    }
}
