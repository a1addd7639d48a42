import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@Suite struct ExpositionTests {
    static let hostile = "back\\slash \"quote\" line\nfeed é漢 \u{7F}\u{1B}[31m"
    private let capture: TelemetryCapture

    init() {
        capture = TelemetryCapture(serviceName: "shop")
        let metrics = capture.telemetry.metrics
        let requests = metrics.counter(
            Counter("http_requests_total", help: "Requests with \"quotes\", a \\ and\na line.", labels: ["route"]))
        requests.series("/a").add(2)
        requests.series("/a").increment(exemplar: capture.telemetry.tracer.startSpan("GET /a").context)
        requests.series(Self.hostile).increment()
        metrics.gauge(Gauge("temperature_ratio", unit: .ratio, help: "Ratio.")).series().set(0.25)
        metrics.upDownCounter(UpDownCounter("active_requests", help: "Active.")).series().add(-2)
        metrics.info(Info("target_info", help: "Target.", labels: ["service_name", "version"]), "shop", "1.0")
        let histogram = metrics.histogram(
            Histogram(
                "http_request_duration_seconds", unit: .seconds, help: "Duration.", labels: ["route"],
                buckets: [0.005, 0.1, 1, 2.5, 10]))
        let span = capture.telemetry.tracer.startSpan("GET /a")
        histogram.series("/a").record(0.05, exemplar: span.context)
        histogram.series("/a").record(100, exemplar: span.context)
        histogram.series(Self.hostile).record(0.7)
        ProcessMetrics.register(in: metrics)
    }

    private func body(_ format: ExpositionFormat) -> [UInt8] {
        MetricsExposition.render(capture.telemetry.metrics, format: format)
    }

    @Test func textIsReadByPrometheusClient() throws {
        let program = """
            import sys
            from prometheus_client.parser import text_string_to_metric_families
            families = {f.name: f for f in text_string_to_metric_families(sys.stdin.buffer.read().decode())}
            hostile = sys.argv[1]
            samples = {(s.name, s.labels.get("route")): s.value for f in families.values() for s in f.samples}
            assert samples[("http_requests_total", "/a")] == 3, samples
            assert samples[("http_requests_total", hostile)] == 1, samples
            assert samples[("http_request_duration_seconds_count", hostile)] == 1
            assert samples[("active_requests", None)] == -2
            assert families["http_requests"].documentation == 'Requests with "quotes", a \\\\ and\\na line.'
            assert families["http_request_duration_seconds"].type == "histogram"
            bounds = [s.labels["le"] for s in families["http_request_duration_seconds"].samples
                      if s.name.endswith("_bucket") and s.labels["route"] == "/a"]
            assert bounds == ["0.005", "0.1", "1.0", "2.5", "10.0", "+Inf"], bounds
            assert samples[("process_resident_memory_bytes", None)] > 1e6
            assert samples[("process_open_fds", None)] > 2
            assert samples[("process_start_time_seconds", None)] > 1.6e9
            print("ok")
            """
        let result = try ChildProcess.python(program, [Self.hostile], input: body(.fallback))
        #expect(result.output == "ok\n", "\(result.errors)")
    }

    @Test func openMetricsIsReadByPrometheusClientWithExemplars() throws {
        let program = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families
            families = {f.name: f for f in text_string_to_metric_families(sys.stdin.buffer.read().decode())}
            hostile = sys.argv[1]
            assert families["http_requests"].type == "counter"
            assert families["http_requests"].documentation == 'Requests with "quotes", a \\\\ and\\na line.'
            assert {s.labels["route"]: s.value for s in families["http_requests"].samples} == {"/a": 3, hostile: 1}
            assert [s.labels["route"] for s in families["http_requests"].samples if s.exemplar] == ["/a"]
            duration = families["http_request_duration_seconds"]
            assert duration.type == "histogram" and duration.unit == "seconds"
            exemplars = {s.labels["le"]: s.exemplar for s in duration.samples if s.exemplar}
            assert set(exemplars) == {"0.1", "+Inf"}, exemplars
            assert exemplars["0.1"].value == 0.05 and exemplars["+Inf"].value == 100
            assert len(exemplars["0.1"].labels["trace_id"]) == 32 and len(exemplars["0.1"].labels["span_id"]) == 16
            assert float(exemplars["0.1"].timestamp) > 1.6e9
            assert families["target"].type == "info"
            assert families["temperature_ratio"].unit == "ratio"
            bounds = [s.labels["le"] for s in duration.samples
                      if s.name.endswith("_bucket") and s.labels["route"] == "/a"]
            assert bounds == ["0.005", "0.1", "1.0", "2.5", "10.0", "+Inf"], bounds
            print("ok")
            """
        let result = try ChildProcess.python(program, [Self.hostile], input: body(.openMetrics(version: "1.0.0")))
        #expect(result.output == "ok\n", "\(result.errors)")
    }

    @Test func promtoolAcceptsTheText() throws {
        let result = try ChildProcess.run("promtool", ["check", "metrics"], input: body(.fallback))
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test func twoScrapesOfTheSameStateAreEqual() {
        let lines = { String(decoding: self.body(.fallback), as: UTF8.self).split(separator: "\n") }
        let stable = { lines().filter { !$0.hasPrefix("process_") } }
        #expect(stable() == stable())
        let families = lines().filter { $0.hasPrefix("# TYPE") }.map { $0.split(separator: " ")[2] }
        #expect(families == families.sorted())
        #expect(Set(families).count == families.count)
    }

    @Test func openMetricsEndsWithEOF() {
        #expect(String(decoding: body(.openMetrics(version: "1.0.0")), as: UTF8.self).hasSuffix("\n# EOF\n"))
        #expect(!String(decoding: body(.fallback), as: UTF8.self).contains("# EOF"))
    }

    @Test func aSumThatShrankIsNoCounterInOpenMetrics() throws {
        let metrics = capture.telemetry.metrics
        let drift = metrics.histogram(
            Histogram("drift_seconds", unit: .seconds, help: "Drift.", labels: ["clock"], buckets: [-1, 0, 1]))
        drift.series("a").record(-2)
        let balance = metrics.histogram(Histogram("balance", unit: .none, help: "Balance.", buckets: [0, 1]))
        balance.series().record(-5)
        #expect(capture.value("balance_sum") == -5)
        #expect(capture.value(#"drift_seconds_count{clock="a"}"#) == 1)
        let program = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families
            families = {f.name: f for f in text_string_to_metric_families(sys.stdin.buffer.read().decode())}
            assert {s.name for s in families["drift_seconds"].samples} == {"drift_seconds_bucket"}
            assert {s.name for s in families["balance"].samples} == {"balance_bucket"}
            print("ok")
            """
        let result = try ChildProcess.python(program, input: body(.openMetrics(version: "1.0.0")))
        #expect(result.output == "ok\n", "\(result.errors)")
    }

    @Test func gzipIsUsedWhenTheScraperTakesIt() throws {
        let plain = MetricsExposition.render(capture.telemetry.metrics, accept: nil, acceptEncoding: "br")
        let zipped = MetricsExposition.render(capture.telemetry.metrics, accept: nil, acceptEncoding: "br, gzip;q=0.5")
        #expect(plain.contentEncoding == nil)
        #expect(zipped.contentEncoding == "gzip")
        #expect(zipped.body.count < plain.body.count)
        let program = "import sys,gzip; sys.stdout.write(gzip.decompress(sys.stdin.buffer.read()).decode())"
        let text = try ChildProcess.python(program, input: zipped.body).output
        #expect(text.hasPrefix("# HELP active_requests Active.\n# TYPE active_requests gauge\nactive_requests -2\n"))
        for refusing in ["gzip;q=0", "identity", "*;q=0", ""] {
            #expect(!MetricsExposition.acceptsGzip(refusing))
        }
        #expect(MetricsExposition.acceptsGzip("*"))
    }
}
