import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// Logs and metrics over OTLP, decoded by code that we did not write.
@Suite struct LogAndMetricExportTests {
    private static let event = LogEvent("order.created", level: .warn, help: "An order.")
    private static let orders = Counter("orders_total", help: "Orders.", labels: ["status", "note"])
    private static let duration = Histogram("took_seconds", unit: .seconds, help: "Duration.", buckets: [0.1, 1])
    private static let size = Gauge("size_bytes", unit: .bytes, help: "Size.")

    private func ok() -> HTTPResponse { HTTPResponse(status: HTTPStatus(200), headers: HTTPFields(), body: .empty) }

    private func run(
        _ values: [String: String], _ change: (inout ExportConfiguration) -> Void = { _ in },
        _ body: (TelemetryPipeline, FakeCollector) async throws -> Void
    ) async throws {
        let collector = try await FakeCollector { [self] _ in ok() }
        var configuration = ExportConfiguration(
            values: values.merging([
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            ]) { a, _ in a })
        configuration.batching.scheduleDelayMilliseconds = 20
        configuration.logDelayMilliseconds = 3_600_000
        configuration.metricIntervalMilliseconds = 3_600_000
        change(&configuration)
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        try await body(pipeline, collector)
        await pipeline.shutdown(timeoutSeconds: 4)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    private static let reading = """
        import base64, gzip, json, sys
        from google.protobuf import json_format
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        def proto(node):
            if isinstance(node, list): return [proto(n) for n in node]
            if not isinstance(node, dict): return node
            return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId") else proto(v)
                    for k, v in node.items()}
        def read(request):
            body = gzip.decompress(sys.stdin.buffer.read())
            if sys.argv[1] == "http/json": return json_format.ParseDict(proto(json.loads(body)), request)
            request.ParseFromString(body)
            return request

        """

    @Test(arguments: ["http/protobuf", "http/json"])
    func logRecordsAreDecodedByOpenTelemetryProto(form: String) async throws {
        try await run([
            "OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": form,
        ]) {
            pipeline, collector in
            let span = SpanContext(
                traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true, isRemote: true)
            let logger = pipeline.telemetry(for: "orders").logger
            TelemetryContext.$current.withValue(TelemetryContext(span: span, requestID: "r-1")) {
                logger.log(
                    Self.event, "line\none",
                    [
                        Attribute(AttributeKey("order.id"), "7"), Attribute(AttributeKey("user.password"), "hunter2"),
                        Attribute(AttributeKey("error.message"), "m"), Attribute(AttributeKey("count"), 3),
                        Attribute(.errorType, "timeout"),
                        Attribute(AttributeKey("http.response.body.bytes"), 12),
                        Attribute(AttributeKey("labels.http_route"), "/orders/{id}"),
                    ])
            }
            pipeline.telemetry(for: "payments").logger.log(
                Self.event, "other", [Attribute(.errorType, "503"), Attribute(AttributeKey("client.ip"), "10.0.0.1")])
            await pipeline.shutdown(timeoutSeconds: 4)
            let received = try #require(collector.requests.first)
            #expect(received.request.target == "/v1/logs")
            let program =
                Self.reading + """
                    request = read(ExportLogsServiceRequest())
                    found = {}
                    for r in request.resource_logs:
                        service = {a.key: a.value for a in r.resource.attributes}["service.name"].string_value
                        for s in r.scope_logs:
                            assert s.scope.name == "vitrine"
                            for record in s.log_records: found[(service, record.body.string_value)] = record
                    other = {a.key: a.value.string_value for a in found[("payments", "other")].attributes}
                    assert other["error.type"] == "503" and "exception.type" not in other, other
                    assert other["client.address"] == "10.0.0.1" and "client.ip" not in other
                    record = found[("orders", "line\\none")]
                    assert record.severity_number == 13 and record.severity_text == "WARN"
                    assert record.time_unix_nano > 10**18 and record.observed_time_unix_nano > 10**18
                    assert record.trace_id.hex() == "00000000000000010000000000000002" and record.flags == 1
                    assert record.span_id.hex() == "0000000000000003" and record.event_name == "order.created"
                    a = {x.key: x.value for x in record.attributes}
                    assert a["order.id"].string_value == "7" and a["count"].int_value == 3
                    assert a["user.password"].string_value == "[redacted]"
                    assert a["exception.message"].string_value == "m" and a["http.request.id"].string_value == "r-1"
                    assert a["exception.type"].string_value == "timeout" and "error.type" not in a
                    assert a["http.response.body.size"].int_value == 12
                    assert a["http.route"].string_value == "/orders/{id}"
                    assert not [k for k in a if k.startswith("labels.") or k.endswith(".bytes")], list(a)
                    print("ok")
                    """
            let judged = try await Judge.python(program, [form], input: received.body)
            #expect(judged.output == "ok\n", "\(judged.errors)")
        }
    }

    @Test(arguments: ["http/protobuf", "http/json"])
    func metricsAreDecodedByOpenTelemetryProto(form: String) async throws {
        let values = [
            "OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": form,
        ]
        try await run(values) { pipeline, collector in
            let metrics = pipeline.telemetry(for: "orders").metrics
            metrics.counter(Self.orders).series("ok", "a\"b\\c\nd,e=f").add(5)
            metrics.counter(Self.orders).series("bad", "").increment()
            metrics.gauge(Self.size).series().set(-2.5)
            let histogram = metrics.histogram(Self.duration).series()
            let span = SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true)
            histogram.record(0.05, exemplar: span)
            histogram.record(0.5)
            histogram.record(5)
            // The last state is told at the end.
            await pipeline.shutdown(timeoutSeconds: 4)
            let received = try #require(collector.requests.first)
            #expect(received.request.target == "/v1/metrics")
            let program =
                Self.reading + """
                    request = read(ExportMetricsServiceRequest())
                    resource, = request.resource_metrics
                    assert {a.key: a.value for a in resource.resource.attributes}["service.name"].string_value == "orders"
                    found = {m.name: m for s in resource.scope_metrics for m in s.metrics}
                    assert "target_info" not in found, "receivers make it of the resource"
                    counter = found["orders_total"]
                    assert counter.description == "Orders." and counter.sum.is_monotonic
                    assert counter.sum.aggregation_temporality == 2
                    points = {tuple(sorted((a.key, a.value.string_value) for a in p.attributes)): p
                              for p in counter.sum.data_points}
                    assert points[(("note", 'a"b\\\\c\\nd,e=f'), ("status", "ok"))].as_double == 5, list(points)
                    assert points[(("status", "bad"),)].as_double == 1
                    assert all(0 < p.start_time_unix_nano < p.time_unix_nano for p in counter.sum.data_points)
                    assert found["size_bytes"].unit == "By" and found["size_bytes"].gauge.data_points[0].as_double == -2.5
                    point, = found["took_seconds"].histogram.data_points
                    assert found["took_seconds"].unit == "s"
                    assert list(point.bucket_counts) == [1, 1, 1] and list(point.explicit_bounds) == [0.1, 1]
                    assert point.count == 3 and abs(point.sum - 5.55) < 1e-9
                    exemplar, = point.exemplars
                    assert exemplar.as_double == 0.05 and exemplar.span_id.hex() == "0000000000000003"
                    assert found["process_resident_memory_bytes"].gauge.data_points[0].as_double > 1e6
                    print("ok")
                    """
            let judged = try await Judge.python(program, [form], input: received.body)
            #expect(judged.output == "ok\n", "\(judged.errors)")
        }
    }

    @Test(arguments: ["http/protobuf", "http/json"])
    func exponentialHistogramsAreDecodedByOpenTelemetryProto(form: String) async throws {
        let values = [
            "OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": form,
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
        ]
        try await run(values) { pipeline, collector in
            let metrics = pipeline.telemetry(for: "orders").metrics
            let histogram = metrics.histogram(Self.duration).series()
            let span = SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true)
            histogram.record(0.05, exemplar: span)
            for value in [0, 0.25, 0.5, 5, 1e4, -2] { histogram.record(value) }
            _ = metrics.histogram(Histogram("idle_seconds", unit: .seconds, help: "Idle.")).series()
            await pipeline.shutdown(timeoutSeconds: 4)
            let received = try #require(collector.requests.first)
            let program =
                Self.reading + """
                    request = read(ExportMetricsServiceRequest())
                    resource, = request.resource_metrics
                    found = {m.name: m for s in resource.scope_metrics for m in s.metrics}
                    # All of them, those of the process too.
                    assert not [m for m in found.values() if m.HasField("histogram")]
                    metric = found["took_seconds"]
                    assert metric.unit == "s" and metric.exponential_histogram.aggregation_temporality == 2
                    point, = metric.exponential_histogram.data_points
                    assert point.count == 7 and abs(point.sum - 10003.8) < 1e-9, point
                    assert point.zero_count == 1 and point.zero_threshold == 2.0 ** -128
                    assert point.min == -2 and point.max == 1e4
                    assert 0 < point.start_time_unix_nano < point.time_unix_nano
                    base = 2.0 ** 2.0 ** -point.scale
                    def read(buckets):
                        return {buckets.offset + i: n for i, n in enumerate(buckets.bucket_counts) if n}
                    positive, negative = read(point.positive), read(point.negative)
                    assert len(point.positive.bucket_counts) <= 160
                    # No finer scale would do: from 0.05 to 10,000 there are 17.6 octaves.
                    assert point.scale == 3, point.scale
                    for value in [0.05, 0.25, 0.5, 5, 1e4]:
                        index, = [i for i in positive if base ** i * (1 + 1e-12) < value <= base ** (i + 1) * (1 + 1e-12)]
                        assert positive.pop(index) == 1
                    assert not positive
                    index, = negative
                    assert negative[index] == 1 and abs(base ** (index + 1) - 2) < 1e-12
                    exemplar, = point.exemplars
                    assert exemplar.as_double == 0.05 and exemplar.span_id.hex() == "0000000000000003"
                    idle, = found["idle_seconds"].exponential_histogram.data_points
                    assert idle.count == 0 and not idle.HasField("min") and not idle.positive.bucket_counts
                    print("ok")
                    """
            let judged = try await Judge.python(program, [form], input: received.body)
            #expect(judged.output == "ok\n", "\(judged.errors)")
        }
    }

    @Test func metricsOfManySeriesAreSplit() async throws {
        let registry = MetricRegistry()
        for family in 0..<12 {
            let counters = registry.counter(
                Counter("many_\(family)_total", help: "Many.", labels: ["a", "b"]))
            for index in 0..<1_500 { counters.series("\(index)", String(repeating: "x", count: 150)).increment() }
        }
        let requests = OTLPMetricEncoder(startNanoseconds: 1, nowNanoseconds: 2)
            .requests([(ServiceResource(name: "a"), registry)])
        #expect(requests.count > 1)
        #expect(requests.allSatisfy { $0.body.count < 4 * 1024 * 1024 })
        #expect(requests.reduce(0) { $0 + $1.pointCount } >= 18_000)
        let program = """
            import sys
            from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
            request = ExportMetricsServiceRequest()
            request.ParseFromString(sys.stdin.buffer.read())
            print(sum(len(m.sum.data_points) + len(m.gauge.data_points)
                      for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics))
            """
        for request in requests {
            let judged = try await Judge.python(program, input: request.body)
            #expect(judged.output == "\(request.pointCount)\n", "\(judged.errors)")
        }
    }

    @Test func logRecordsThatNobodyFetchesAreBoundedAndCounted() {
        let metrics = MetricRegistry()
        let processor = BatchLogProcessor(maxQueueSize: 10, metrics: metrics) {}
        let telemetry = Telemetry(
            resource: ServiceResource(name: "x"), spanSink: nil, logSink: nil,
            logRecordSink: processor.sink(for: ServiceResource(name: "x")))
        for index in 0..<25 { telemetry.logger.log(Self.event, "line \(index)") }
        #expect(processor.queue.count == 10)
        let label = #"{otel_component_name="batching_log_processor/0",otel_component_type="batching_log_processor"}"#
        #expect(metrics.value("otel_sdk_processor_log_queue_size\(label)") == 10)
        #expect(metrics.value("otel_sdk_processor_log_queue_capacity\(label)") == 10)
        #expect(
            metrics.value(
                #"otel_sdk_processor_log_processed_total{error_type="queue_full",otel_component_name="batching_log_processor/0",otel_component_type="batching_log_processor"}"#
            ) == 15)
        processor.shutdown()
        telemetry.logger.log(Self.event, "late")
        #expect(
            metrics.value(
                #"otel_sdk_processor_log_processed_total{error_type="already_shutdown",otel_component_name="batching_log_processor/0",otel_component_type="batching_log_processor"}"#
            ) == 1)
    }
}
