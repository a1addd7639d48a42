import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// What becomes of spans when collectors are several, away, slow, or want another form.
@Suite struct DeliveryTests {
    private func exported(_ collector: Int, _ errorType: String = "") -> String {
        "otel_sdk_exporter_span_exported_total{error_type=\"\(errorType)\",otel_component_name=\"otlp_http_span_exporter/\(collector)\",otel_component_type=\"otlp_http_span_exporter\"}"
    }

    private func response(_ code: Int, _ body: [UInt8] = []) -> HTTPResponse {
        HTTPResponse(status: HTTPStatus(code), headers: HTTPFields(), body: body.isEmpty ? .empty : .bytes(body))
    }

    private func configuration(_ values: [String: String]) -> ExportConfiguration {
        var configuration = ExportConfiguration(values: values)
        configuration.batching.scheduleDelayMilliseconds = 20
        configuration.retry.initialDelayMilliseconds = 10
        configuration.retry.maxDelayMilliseconds = 20
        configuration.retry.maxAttempts = 2
        configuration.changeTargets { $0.timeoutMilliseconds = 300 }
        return configuration
    }

    private func pipeline(_ configuration: ExportConfiguration, _ group: EventLoopGroup) -> (
        TelemetryPipeline, TestPipe
    ) {
        let output = TestPipe()
        return (TelemetryPipeline(configuration: configuration, group: group, output: output.writing), output)
    }

    @Test func everyCollectorIsServedWhateverTheOthersDo() async throws {
        let well = try await FakeCollector { [self] _ in response(200) }
        let broken = try await FakeCollector { [self] _ in response(400) }
        let silent = TestListener()
        let group = EventLoopGroup(count: 1)
        let (pipeline, output) = pipeline(
            configuration([
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(silent.port)", "VITRINE_OTLP_2_ENDPOINT": broken.url,
                "VITRINE_OTLP_3_ENDPOINT": well.url, "VITRINE_OTLP_3_COMPRESSION": "none",
            ]), group)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for _ in 0..<20 { tracer.startSpan("x").end() }
        let metrics = pipeline.processMetrics
        #expect(await eventually { metrics.value(exported(2)) == 20 && metrics.value(exported(1, "400")) == 20 })
        #expect(await eventually { metrics.value(exported(0, "timeout")) == 20 })
        #expect(well.requests[0].request.headers["content-encoding"] == nil)
        await pipeline.shutdown(timeoutSeconds: 2)
        await well.stop()
        await broken.stop()
        group.shutdown()
        _ = output
    }

    @Test func jsonIsReadByOpenTelemetryProto() async throws {
        let collector = try await FakeCollector { [self] _ in
            response(200, Array(#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}"#.utf8))
        }
        let group = EventLoopGroup(count: 1)
        let (pipeline, output) = pipeline(
            configuration([
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            ]), group)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        let parent = tracer.startSpan("parent")
        let span = tracer.startSpan(
            "child \"é\"\u{1}", kind: .consumer, parent: TelemetryContext(span: parent.context),
            links: [SpanLink(parent.context, attributes: [Attribute(AttributeKey("why"), "test")])])
        span.set(AttributeKey("a"), "first")
        span.addEvent("event", [Attribute(AttributeKey("n"), 1)])
        span.set(AttributeKey("int"), Int.min)
        span.set(AttributeKey("double"), .double(.infinity))
        span.set(AttributeKey("flag"), .bool(false))
        span.set(AttributeKey("list"), .strings(["x", "y"]))
        span.recordError(type: "t", description: "why")
        span.end()
        parent.end()
        #expect(await eventually { pipeline.processMetrics.value(exported(0, "rejected")) == 1 })
        #expect(pipeline.processMetrics.value(exported(0)) == 1)
        let received = collector.requests[0]
        #expect(received.request.headers["content-type"] == "application/json")
        let program = """
            import base64, gzip, json, sys
            from google.protobuf import json_format
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
            def proto(node):
                # OTLP writes identifiers in hexadecimal where the mapping of protobuf has base64.
                if isinstance(node, list): return [proto(n) for n in node]
                if not isinstance(node, dict): return node
                return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId")
                        else proto(v) for k, v in node.items()}
            request = json_format.ParseDict(proto(json.loads(gzip.decompress(sys.stdin.buffer.read()))),
                                            ExportTraceServiceRequest())
            spans = {s.name: s for r in request.resource_spans for c in r.scope_spans for s in c.spans}
            child, parent = spans['child "é"\\x01'], spans["parent"]
            assert child.parent_span_id == parent.span_id and child.trace_id == parent.trace_id
            assert len(child.trace_id) == 16 and len(child.span_id) == 8 and child.kind == 5
            assert child.start_time_unix_nano > 10**18 and child.end_time_unix_nano >= child.start_time_unix_nano
            a = {x.key: x.value for x in child.attributes}
            assert set(a) == {"a", "int", "double", "flag", "list", "error.type"}, a
            assert a["int"].int_value == -2**63 and a["double"].double_value == float("inf")
            assert a["flag"].HasField("bool_value") and not a["flag"].bool_value
            assert [v.string_value for v in a["list"].array_value.values] == ["x", "y"]
            assert child.events[0].name == "event" and child.events[0].attributes[0].value.int_value == 1
            assert child.links[0].span_id == parent.span_id and child.links[0].attributes[0].value.string_value == "test"
            assert child.status.code == 2 and child.status.message == "why" and child.flags == 0x103
            print("ok")
            """
        let judged = try await Judge.python(program, input: received.body)
        #expect(judged.output == "ok\n", "\(judged.errors)")
        await pipeline.shutdown(timeoutSeconds: 2)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    @Test func anOutageAndARestartLoseNothingThatFitsOnDisk() async throws {
        let folder = TemporaryFolder()
        let isUp = Mutex(false)
        let collector = try await FakeCollector { [self] _ in response(isUp.withLock { $0 } ? 200 : 503) }
        let values = ["OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "VITRINE_OTLP_SPOOL": folder.path]
        let group = EventLoopGroup(count: 1)
        do {
            let (pipeline, output) = pipeline(configuration(values), group)
            await pipeline.start()
            let tracer = pipeline.telemetry(for: "orders").tracer
            for round in 1...3 {
                for _ in 0..<10 { tracer.startSpan("x").end() }
                #expect(
                    await eventually {
                        folder.names("otlp_http_span_exporter-0").count { $0.hasSuffix("-10.otlp") } >= round
                    })
            }
            for _ in 0..<10 { tracer.startSpan("at the end").end() }
            await pipeline.shutdown(timeoutSeconds: 2)
            #expect(
                (pipeline.processMetrics.value(
                    #"telemetry_export_spool_bytes{otel_component_name="otlp_http_span_exporter/0"}"#) ?? 0) > 0)
            #expect(pipeline.processMetrics.value(exported(0, "503")) == nil)
            #expect(output.read().contains("wait on disk"))
        }
        isUp.withLock { $0 = true }
        let (pipeline, output) = pipeline(configuration(values), group)
        await pipeline.start()
        #expect(await eventually { pipeline.processMetrics.value(exported(0)) == 40 })
        #expect(await eventually { folder.names("otlp_http_span_exporter-0") == ["lock"] })
        await pipeline.shutdown(timeoutSeconds: 2)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    @Test func aCollectorThatComesBackGetsWhatWaitsOnDisk() async throws {
        let folder = TemporaryFolder()
        let isUp = Mutex(false)
        let collector = try await FakeCollector { [self] _ in response(isUp.withLock { $0 } ? 200 : 503) }
        let group = EventLoopGroup(count: 1)
        let (pipeline, output) = pipeline(
            configuration(["OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "VITRINE_OTLP_SPOOL": folder.path]), group)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for _ in 0..<10 { tracer.startSpan("x").end() }
        #expect(await eventually { folder.names("otlp_http_span_exporter-0").count > 1 })
        isUp.withLock { $0 = true }
        tracer.startSpan("after").end()
        #expect(await eventually { pipeline.processMetrics.value(exported(0)) == 11 })
        await pipeline.shutdown(timeoutSeconds: 2)
        #expect(output.read().contains("telemetry.export_recovered"))
        await collector.stop()
        group.shutdown()
    }

    @Test func theQueueOfACollectorIsBounded() async throws {
        let silent = TestListener()
        let group = EventLoopGroup(count: 1)
        var configuration = configuration(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(silent.port)"])
        configuration.changeTargets { $0.timeoutMilliseconds = 60_000 }
        let metrics = MetricRegistry()
        let worker = WorkerPool(threads: 1, capacity: 4, name: "test")
        let sender = OTLPSender(
            .traces, target: try #require(configuration.traces), configuration: configuration, group: group,
            worker: worker, instruments: OTLPInstruments(.traces, number: 0, metrics: metrics),
            logger: Telemetry.disabled().logger)
        let body = [UInt8](repeating: 1, count: 1024 * 1024)
        for _ in 0..<20 {
            sender.offer(
                OTLPMessage(body: body, itemCount: 1, format: OTLPFormat(isJSON: false, isCompressed: false)))
        }
        #expect(metrics.value(exported(0, "queue_full")) == 12)
        #expect(
            metrics.value(
                #"otel_sdk_exporter_span_inflight{otel_component_name="otlp_http_span_exporter/0",otel_component_type="otlp_http_span_exporter"}"#
            ) == 8)
        await sender.shutdown(timeoutMilliseconds: 50)
        // All but the one that was being sent.
        #expect((metrics.value(exported(0, "already_shutdown")) ?? 0) >= 7)
        worker.shutdown()
        group.shutdown()
    }
}
