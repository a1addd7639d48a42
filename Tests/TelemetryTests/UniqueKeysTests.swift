import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

/// OTLP: the keys of attributes are unique, whoever sets them twice. Read by `opentelemetry-proto`.
@Suite struct UniqueKeysTests {
    /// Walks through a whole request, whatever is in it.
    private static let judge = """
        import sys
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        def walk(message):
            lists = 0
            for field, value in message.ListFields():
                if field.message_type is None: continue
                values = list(value) if hasattr(value, "add") else [value]
                if field.message_type.name == "KeyValue":
                    keys = [v.key for v in values]
                    assert len(keys) == len(set(keys)), keys
                    lists += 1
                for v in values: lists += walk(v)
            return lists
        def read(kind):
            request = kind()
            request.ParseFromString(sys.stdin.buffer.read())
            assert walk(request) > 0
            return request
        def values(item): return {a.key: a.value.string_value or a.value.int_value for a in item.attributes}

        """

    private func judge(_ program: String, _ body: [UInt8]) throws {
        let result = try ChildProcess.python(Self.judge + program + "\nprint(\"ok\")\n", input: body)
        #expect(result.output == "ok\n", "\(result.errors)")
    }

    private func attribute(_ name: String, _ value: AttributeValue) -> Attribute {
        Attribute(AttributeKey(name), value)
    }

    @Test func ofSpansEventsAndLinksTheLastValueCounts() throws {
        let processor = BatchSpanProcessor(metrics: MetricRegistry()) {}
        let resource = ServiceResource.standard(
            serviceName: "orders", overrides: [("a", "1"), ("service.name", "x"), ("a", "2"), ("host.name", "h")])
        let tracer = Telemetry(
            resource: resource, sampler: .alwaysOn, spanSink: processor, logSink: nil,
            logLevel: LogLevelControl(.info)
        ).tracer
        let twice = [attribute("k", 1), attribute("other", "o"), attribute("k", "two"), attribute("k", 3)]
        let parent = tracer.startSpan("parent")
        let span = tracer.startSpan("span", links: [SpanLink(parent.context, attributes: twice)])
        // Some that share bits of the filter for sure.
        for index in 0..<100 { span.set(AttributeKey("key\(index)"), index) }
        for index in stride(from: 0, to: 100, by: 3) { span.set(AttributeKey("key\(index)"), "again \(index)") }
        span.set(
            PreparedAttributes([attribute("p", 1), attribute("key5", "prepared"), attribute("p", 2)], for: tracer))
        span.set(PreparedAttributes([attribute("p", 3)], for: tracer))
        span.addEvent("event", twice + (0..<200).map { attribute("e\($0 % 90)", .int($0)) })
        span.end()
        let encoder = OTLPBatchEncoder(processor.queue)
        let body = encoder.withRequest(processor.drain()) { Array($0) }
        try judge(
            """
            request = read(ExportTraceServiceRequest)
            resource = values(request.resource_spans[0].resource)
            assert resource["a"] == "2" and resource["service.name"] == "orders" and resource["host.name"] == "h"
            span, = request.resource_spans[0].scope_spans[0].spans
            found = values(span)
            assert len(found) == 101 and span.dropped_attributes_count == 0, len(found)
            for i in range(100):
                expected = "prepared" if i == 5 else f"again {i}" if i % 3 == 0 else i
                assert found[f"key{i}"] == expected, (i, found[f"key{i}"])
            assert found["p"] == 3
            event, link = span.events[0], span.links[0]
            assert values(link) == {"k": 3, "other": "o"}, values(link)
            assert values(event) == {"k": 3, "other": "o"} | {f"e{i % 90}": i for i in range(200)}
            assert event.dropped_attributes_count == 0 and link.dropped_attributes_count == 0
            """, body)
    }

    @Test func ofLogRecordsOursAndTheFirstOneCount() throws {
        let processor = BatchLogProcessor(metrics: MetricRegistry()) {}
        let resource = ServiceResource(name: "orders")
        let capture = TelemetryCapture()
        let logger = Telemetry(
            resource: resource, sampler: .alwaysOn, spanSink: nil, logSink: nil, logLevel: LogLevelControl(.info),
            logRecordSink: processor.sink(for: resource)
        ).logger
        let event = LogEvent("test.event", help: "An event of a test.", maxRepeatsPerSecond: 0)
        let fields = [
            attribute("twice", 1), attribute("log.logger", "theirs"), attribute("twice", 2),
            attribute("error.message", "first"), attribute("exception.message", "second"),
            attribute("exception.stacktrace", "first"), attribute("error.stack_trace", "second"),
            attribute("http.request.id", "given"), attribute("trace_id", "x"), attribute("twice", 3),
        ]
        logger.log(event, "without a request", fields)
        let context = TelemetryContext(
            span: capture.telemetry.tracer.startSpan("x").context, requestID: "own")
        TelemetryContext.$current.withValue(context) { logger.log(event, "in a request", fields) }
        let encoder = OTLPBatchEncoder(processor.queue)
        let body = encoder.withRequest(processor.drain()) { Array($0) }
        try judge(
            """
            request = read(ExportLogsServiceRequest)
            without, within = request.resource_logs[0].scope_logs[0].log_records
            assert without.body.string_value == "without a request"
            for record, id in [(without, "given"), (within, "own")]:
                found = values(record)
                assert found["twice"] == 1 and found["log.logger"] == "orders", found
                assert found["exception.message"] == "first" and found["exception.stacktrace"] == "first"
                assert "error.message" not in found and "error.stack_trace" not in found
                assert found["http.request.id"] == id
            assert without.dropped_attributes_count == 5 and within.dropped_attributes_count == 6
            """, body)
    }

    @Test func ofDataPointsLabelsAreUnique() throws {
        let metrics = MetricRegistry()
        metrics.counter(Counter("good_total", help: "G.", labels: ["a", "b"])).series("same", "same").increment()
        metrics.histogram(Histogram("took_seconds", unit: .seconds, help: "T.", labels: ["a"])).series("x").record(1)
        // A mistake, which is counted; it shows no series of which one label would hide the other.
        metrics.counter(Counter("bad_total", help: "B.", labels: ["a", "a"])).series("1", "2").increment()
        let resource = ServiceResource.standard(serviceName: "orders", overrides: [("a", "1"), ("a", "2")])
        let requests = OTLPMetricEncoder(startNanoseconds: 1, nowNanoseconds: 2).requests([(resource, metrics)])
        try judge(
            """
            request = read(ExportMetricsServiceRequest)
            names = [m.name for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
            assert "good_total" in names and "took_seconds" in names and "bad_total" not in names, names
            assert len(names) == len(set(names))
            """, try #require(requests.first).body)
    }
}
