import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@testable import TelemetrySDK

/// `/metrics` in protobuf, read by a reader that is made from the public message definitions
/// (`io.prometheus.client`, `metrics.proto`), and its native histograms against what was observed.
@Suite struct ProtobufExpositionTests {
    private static let visits = Counter("visits_total", help: "Visits \\ \"of\"\n pages.", labels: ["page", "kind"])
    private static let size = Gauge("size_bytes", unit: .bytes, help: "Size.")
    private static let build = Info("build_info", help: "Build.", labels: ["version"])
    private static let took = Histogram(
        "took_seconds", unit: .seconds, help: "Duration.", labels: ["route"], buckets: [0.1, 1, 2.5],
        initial: [["/idle"]])
    private static let hostile = "a\"} 1\nevil_total{page=\"b\\ é漢 # EOF\n"
    private static let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

    /// The messages, declared by their public field numbers, and a walk over the delimited families.
    private static let reading = """
        import sys
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        from google.protobuf.internal.decoder import _DecodeVarint32
        from google.protobuf.unknown_fields import UnknownFieldSet
        T = descriptor_pb2.FieldDescriptorProto
        types = {"string": T.TYPE_STRING, "double": T.TYPE_DOUBLE, "uint64": T.TYPE_UINT64, "uint32": T.TYPE_UINT32,
                 "sint32": T.TYPE_SINT32, "sint64": T.TYPE_SINT64, "int64": T.TYPE_INT64, "int32": T.TYPE_INT32}
        file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="io.prometheus.client", syntax="proto3")
        for name, fields in {
            "LabelPair": "name:1:string value:2:string",
            "Gauge": "value:1:double", "Time": "seconds:1:int64 nanos:2:int32",
            "Exemplar": "label:1:*LabelPair value:2:double timestamp:3:Time",
            "Counter": "value:1:double exemplar:2:Exemplar created_timestamp:3:Time",
            "Bucket": "cumulative_count:1:uint64 upper_bound:2:double exemplar:3:Exemplar",
            "BucketSpan": "offset:1:sint32 length:2:uint32",
            "Histogram": "sample_count:1:uint64 sample_sum:2:double bucket:3:*Bucket schema:5:sint32 zero_threshold:6:double "
                "zero_count:7:uint64 negative_span:9:*BucketSpan negative_delta:10:*sint64 positive_span:12:*BucketSpan "
                "positive_delta:13:*sint64 created_timestamp:15:Time exemplars:16:*Exemplar",
            "Metric": "label:1:*LabelPair gauge:2:Gauge counter:3:Counter histogram:7:Histogram",
            "MetricFamily": "name:1:string help:2:string type:3:int32 metric:4:*Metric unit:5:string",
        }.items():
            message = file.message_type.add(name=name)
            for field in fields.split():
                name, number, kind = field.split(":")
                label = T.LABEL_REPEATED if kind[0] == "*" else T.LABEL_OPTIONAL
                kind = kind.lstrip("*")
                field = message.field.add(name=name, number=int(number), label=label)
                if kind in types: field.type = types[kind]
                else: field.type, field.type_name = T.TYPE_MESSAGE, ".io.prometheus.client." + kind
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        Family = message_factory.GetMessageClass(pool.FindMessageTypeByName("io.prometheus.client.MetricFamily"))
        data, at, families = sys.stdin.buffer.read(), 0, []
        while at < len(data):
            length, at = _DecodeVarint32(data, at)
            family = Family()
            assert family.ParseFromString(data[at:at + length]) == length
            assert len(UnknownFieldSet(family)) == 0
            families.append(family)
            at += length
        def labels(metric): return {p.name: p.value for p in metric.label}
        def buckets(spans, deltas):
            found, index, count, rest = {}, 0, 0, list(deltas)
            for span in spans:
                index += span.offset
                for _ in range(span.length):
                    count += rest.pop(0)
                    if count: found[index] = count
                    index += 1
            assert not rest
            return found

        """

    private func recorded(_ forms: HistogramForms) -> TelemetryCapture {
        let capture = TelemetryCapture(histograms: forms)
        let metrics = capture.telemetry.metrics
        let span = SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true)
        metrics.counter(Self.visits).series(Self.hostile, "").add(7.5, exemplar: span)
        metrics.gauge(Self.size).series().set(-2.5)
        metrics.info(Self.build, "1.2")
        metrics.observe(Counter("read_total", help: "Read."), labels: []) { 12 }
        let took = metrics.histogram(Self.took).series("/a")
        for value in [0, 0.05, 0.06, 0.5, 0.5, 1, 40, -3] { took.record(value) }
        took.record(2, exemplar: span)
        return capture
    }

    /// What is the same in every form.
    private static let classic = """
        names = [f.name for f in families]
        found = {f.name: f for f in reversed(families)}
        visits = found["visits_total"]
        assert visits.type == 0 and visits.help == 'Visits \\\\ "of"\\n pages.'
        metric, = visits.metric
        assert labels(metric) == {"page": sys.argv[1], "kind": ""}, labels(metric)
        assert metric.counter.value == 7.5
        exemplar = metric.counter.exemplar
        trace = {"trace_id": "00000000000000010000000000000002", "span_id": "0000000000000003"}
        assert labels(exemplar) == trace and exemplar.value == 7.5 and exemplar.timestamp.seconds > 10**9
        assert found["size_bytes"].type == 1 and found["size_bytes"].metric[0].gauge.value == -2.5
        assert found["size_bytes"].unit == "bytes"
        assert found["build_info"].type == 1 and found["build_info"].metric[0].gauge.value == 1
        assert found["read_total"].type == 0 and found["read_total"].metric[0].counter.value == 12
        took = found["took_seconds"]
        assert took.type == 4 and took.unit == "seconds"
        series = {labels(m)["route"]: m.histogram for m in took.metric}
        a = series["/a"]
        assert [(b.upper_bound, b.cumulative_count) for b in a.bucket] == [
            (0.1, 4), (1, 7), (2.5, 8), (float("inf"), 9)], a
        assert a.sample_count == 9 and abs(a.sample_sum - 41.11) < 1e-9
        assert [labels(b.exemplar) for b in a.bucket if b.HasField("exemplar")] == [trace]
        assert [b.cumulative_count for b in series["/idle"].bucket] == [0, 0, 0, 0]

        """

    private static let native = """
        assert n.sample_count == 9 and abs(n.sample_sum - 41.11) < 1e-9
        assert n.zero_threshold == 2.0 ** -128 and n.zero_count == 1 and -4 <= n.schema <= 8
        base = 2.0 ** 2.0 ** -n.schema
        positive = buckets(n.positive_span, n.positive_delta)
        negative = buckets(n.negative_span, n.negative_delta)
        expected = {}
        for value in [0.05, 0.06, 0.5, 0.5, 1, 40, 2]:
            index, = [i for i in positive if base ** (i - 1) * (1 + 1e-12) < value <= base ** i * (1 + 1e-12)]
            expected[index] = expected.get(index, 0) + 1
        assert positive == expected, (positive, expected)
        index, = negative
        assert negative[index] == 1 and base ** (index - 1) < 3 <= base ** index
        assert idle.zero_threshold == 2.0 ** -128 and idle.sample_count == 0 and not idle.positive_span
        print("ok")
        """

    private func judge(_ forms: HistogramForms, _ program: String) throws {
        let capture = recorded(forms)
        let rendered = MetricsExposition.render(
            capture.telemetry.metrics, accept: Self.protobuf + ",text/plain;q=0.5", acceptEncoding: nil)
        #expect(
            rendered.contentType
                == "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
        let judged = try ChildProcess.python(
            Self.reading + Self.classic + program, [Self.hostile], input: rendered.body)
        #expect(judged.output == "ok\n", "\(judged.errors)")
    }

    @Test func apartTheFormsAreTwoFamiliesOfOneName() throws {
        try judge(
            HistogramForms(native: .apart),
            """
            assert names.count("took_seconds") == 2 and names.index("took_seconds") == names.index("took_seconds")
            assert all(len(m.histogram.positive_span) == 0 and m.histogram.zero_threshold == 0 for m in took.metric)
            other = [f for f in families if f.name == "took_seconds"][1]
            assert other.type == 4 and other.help == took.help
            series = {labels(m)["route"]: m.histogram for m in other.metric}
            n, idle = series["/a"], series["/idle"]
            assert not n.bucket and [labels(e) for e in n.exemplars] == [trace]

            """ + Self.native)
    }

    @Test func togetherTheyAreOneFamily() throws {
        try judge(
            HistogramForms(native: .together),
            """
            assert len(set(names)) == len(names) and names == sorted(names)
            n, idle = series["/a"], series["/idle"]

            """ + Self.native)
    }

    /// Prometheus refuses a native histogram whose buckets do not add up to its count.
    @Test func whileThreadsRecordBothFormsAgreeOnTheNumberOfValues() throws {
        let metrics = MetricRegistry(histograms: HistogramForms(native: .together))
        let series = metrics.histogram(Self.took).series("/a")
        let isDone = Atomic<Bool>(false)
        let threads = ThreadGroup(count: 3) {
            var value = 1e-6
            while !isDone.load(ordering: .relaxed) {
                series.record(value)
                value = value > 1e6 ? 1e-6 : value * 1.01
            }
        }
        var body: [UInt8] = []
        for _ in 0..<300 { body += MetricsExposition.render(metrics, format: .protobuf) }
        isDone.store(true, ordering: .relaxed)
        threads.join()
        let program =
            Self.reading + """
                last, rounds = 0, 0
                for family in families:
                    if family.name != "took_seconds": continue
                    h = {labels(m)["route"]: m.histogram for m in family.metric}["/a"]
                    counts = [b.cumulative_count for b in h.bucket]
                    assert counts == sorted(counts) and counts[-1] == h.sample_count
                    assert sum(buckets(h.positive_span, h.positive_delta).values()) + h.zero_count == h.sample_count
                    assert h.sample_count >= last
                    last, rounds = h.sample_count, rounds + 1
                assert last > 0 and rounds == 300
                print("ok")
                """
        let judged = try ChildProcess.python(program, input: body)
        #expect(judged.output == "ok\n", "\(judged.errors)")
    }

    @Test func emptyBucketsAreToldOrLeftOutByWhatTakesLess() {
        let buckets = NativeBuckets(ExponentialBuckets(offset: -5, counts: [3, 0, 0, 5, 0, 0, 0, 2] as [UInt64]))
        #expect(buckets.runs == [.init(offset: -4, length: 4), .init(offset: 3, length: 1)])
        #expect(buckets.deltas == [3, -3, 0, 5, -3])
        #expect(NativeBuckets(ExponentialBuckets()).runs.isEmpty)
    }

    @Test func withoutTheSettingNothingChanges() {
        for forms in [HistogramForms(), HistogramForms(isExponentialExported: true)] {
            let metrics = recorded(forms).telemetry.metrics
            let rendered = MetricsExposition.render(metrics, accept: Self.protobuf, acceptEncoding: nil)
            #expect(rendered.contentType == ExpositionFormat.fallback.contentType)
            #expect(!String(decoding: rendered.body, as: UTF8.self).contains("schema"))
        }
        // With it, the texts are what they were.
        let metrics = recorded(HistogramForms(native: .together)).telemetry.metrics
        let plain = recorded(HistogramForms()).telemetry.metrics
        for format in [ExpositionFormat.fallback] {
            #expect(
                MetricsExposition.render(metrics, format: format) == MetricsExposition.render(plain, format: format))
        }
    }

    @Test func manySeriesCountAsPrometheusCountsThem() throws {
        let metrics = recorded(HistogramForms(native: .apart)).telemetry.metrics
        let text = MetricsExposition.render(metrics, accept: nil, acceptEncoding: nil)
        let protobuf = MetricsExposition.render(metrics, accept: Self.protobuf, acceptEncoding: "gzip")
        // Two native histograms more.
        #expect(protobuf.series == text.series + 2)
        #expect(protobuf.contentEncoding == "gzip")
    }
}
