import Telemetry
import TelemetryTesting
import Testing

@Suite struct MetricsTests {
    private let capture = TelemetryCapture()
    private var metrics: MetricRegistry { capture.telemetry.metrics }

    static let requests = Counter("requests_total", help: "Requests.", labels: ["route", "status"])
    static let plain = Counter("plain_total", help: "Plain.")
    static let queue = UpDownCounter("queue_length", help: "Queue.")
    static let latency = Histogram("latency_seconds", unit: .seconds, help: "Latency.", buckets: [0.1, 1, 2.5])

    @Test func metricWithoutLabelsIsThereAtZeroFromTheStart() {
        _ = metrics.counter(Self.plain)
        _ = metrics.histogram(Self.latency)
        #expect(capture.value("plain_total") == 0)
        #expect(capture.value("latency_seconds_count") == 0)
        #expect(capture.value(#"latency_seconds_bucket{le="+Inf"}"#) == 0)
    }

    @Test func equalLabelsShareASeriesAndEqualDeclarationsAFamily() {
        let series = metrics.counter(Self.requests).series("/a", "200")
        series.increment()
        metrics.counter(Self.requests).series("/a", "200").add(2.5)
        metrics.counter(Self.requests).series("/a", "500").increment()
        #expect(capture.value(#"requests_total{status="200",route="/a"}"#) == 3.5)
        #expect(capture.value(#"requests_total{route="/a",status="500"}"#) == 1)
    }

    @Test func threadsAddUp() async {
        let counter = metrics.counter(Self.plain).series()
        let gauge = metrics.upDownCounter(Self.queue).series()
        let histogram = metrics.histogram(Self.latency).series()
        // More threads than exclusive shards, so that the shared one is used too.
        let threads = ThreadGroup(count: 40) {
            for _ in 0..<5_000 {
                counter.increment()
                counter.add(0.5)
                gauge.add(1)
                histogram.record(0.5)
            }
        }
        threads.join()
        #expect(capture.value("plain_total") == 300_000)
        #expect(capture.value("queue_length") == 200_000)
        #expect(capture.value("latency_seconds_count") == 200_000)
        #expect(capture.value("latency_seconds_sum") == 100_000)
        #expect(capture.value(#"latency_seconds_bucket{le="1.0"}"#) == 200_000)
    }

    @Test func bucketsIncludeTheirUpperBound() {
        let histogram = metrics.histogram(Self.latency).series()
        for value in [-1, 0.1, 0.100001, 1, 2.5, 2.6, 1e9] { histogram.record(value) }
        #expect(capture.value(#"latency_seconds_bucket{le="0.1"}"#) == 2)
        #expect(capture.value(#"latency_seconds_bucket{le="1.0"}"#) == 4)
        #expect(capture.value(#"latency_seconds_bucket{le="2.5"}"#) == 5)
        #expect(capture.value(#"latency_seconds_bucket{le="+Inf"}"#) == 7)
    }

    @Test func labelBombEndsInTheOverflowSeries() {
        let family = metrics.counter(Self.requests)
        for index in 0..<10_000 { family.series("/\(index)", "200").increment() }
        #expect(family.allSeries.count == 2_001)
        #expect(capture.value(#"requests_total{otel_metric_overflow="true"}"#) == 8_000)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="overflow"}"#) == 8_000)
        // A known label set keeps its own series.
        family.series("/7", "200").increment()
        #expect(capture.value(#"requests_total{route="/7",status="200"}"#) == 2)
    }

    @Test func misuseIsCountedToldOnceAndNeverCrashes() {
        let family = metrics.counter(Self.requests)
        family.series("/a").increment()
        family.series("/a", "b", "c").increment()
        family.series("/a", "200").add(-1)
        family.series("/a", "200").add(.nan)
        family.series("/a", "200").add(.infinity)
        metrics.histogram(Self.latency).series().record(.nan)
        metrics.gauge(Gauge("requests_total", help: "Not a counter.")).series().set(5)
        metrics.counter(Counter("requests_total", help: "Other labels.", labels: ["x"])).series("1").increment()
        metrics.counter(Counter("9bad name", help: "Bad.")).series().increment()
        metrics.counter(Counter("ok_total", help: "Bad label.", labels: ["__name__"])).series("x").increment()
        _ = metrics.histogram(Histogram("h_seconds", unit: .seconds, help: "Bad.", buckets: [2, 1, .infinity]))
        #expect(capture.value(#"requests_total{otel_metric_overflow="true"}"#) == 2)
        #expect(capture.value(#"requests_total{route="/a",status="200"}"#) == 0)
        for (reason, count) in [
            ("label_count", 2), ("invalid_value", 4), ("redeclared", 2), ("invalid_name", 2), ("invalid_buckets", 1),
        ] as [(String, Double)] {
            #expect(capture.value("telemetry_metric_misuse_total{reason=\"\(reason)\"}") == count)
        }
        let told = capture.logLines.filter { $0.contains("telemetry.metric_misuse") && $0.contains("requests_total") }
        #expect(told.count == 3)
        #expect(!capture.text.contains("9bad"))
        #expect(!capture.text.contains("__name__"))
    }

    @Test func namesThatWouldReadAlikeAreRefused() {
        metrics.counter(Counter("jobs_total", help: "Jobs.")).series().increment()
        // The family of `jobs_total` is called `jobs` in OpenMetrics.
        metrics.gauge(Gauge("jobs", help: "Jobs.")).series().set(7)
        _ = metrics.histogram(Self.latency)
        for suffix in ["sum", "count", "bucket"] {
            metrics.gauge(Gauge("latency_seconds_\(suffix)", help: "Clash.")).series().set(7)
        }
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="redeclared"}"#) == 4)
        #expect(capture.value("jobs_total") == 1)
        #expect(capture.value("jobs") == nil)
        #expect(capture.value("latency_seconds_sum") == 0)
    }

    @Test func aNameWithoutItsSuffixIsToldAndReadsTheSameInBothFormats() {
        metrics.counter(Counter("clicks", help: "Clicks.")).series().increment()
        metrics.gauge(Gauge("size", unit: .bytes, help: "Size.")).series().set(1)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="missing_suffix"}"#) == 2)
        #expect(capture.value("clicks_total") == 1)
        #expect(capture.openMetricsText.contains("# TYPE clicks counter\n# HELP clicks Clicks.\nclicks_total 1\n"))
        // OpenMetrics: a unit that the name does not end in may not be told.
        #expect(!capture.openMetricsText.contains("# UNIT size"))
    }

    @Test func whatACounterOrGaugeCannotBeIsLeftOutAndCounted() {
        metrics.observe(Counter("bad_total", help: "Bad."), labels: []) { -1 }
        metrics.observe(Counter("worse_total", help: "Worse."), labels: []) { .nan }
        let queue = metrics.upDownCounter(Self.queue).series()
        queue.add(2)
        queue.add(.nan)
        queue.add(.infinity)
        #expect(capture.value("bad_total") == nil)
        #expect(capture.value("worse_total") == nil)
        #expect(capture.value("queue_length") == 2)
        #expect((capture.value(#"telemetry_metric_misuse_total{reason="invalid_value"}"#) ?? 0) >= 4)
    }

    @Test func misuseInAnIncludedRegistryIsCountedHereToo() {
        let process = MetricRegistry()
        metrics.include(process)
        metrics.include(metrics)
        process.counter(Self.plain).series().add(-1)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="invalid_value"}"#) == 1)
    }

    @Test func observedValuesAreReadAtEachScrape() {
        let clock = ManualClock()
        metrics.observe(Gauge("now_nanoseconds", help: "Now.")) { Double(clock.monotonicNanoseconds) }
        let before = capture.value("now_nanoseconds") ?? 0
        clock.advance(nanoseconds: 5)
        #expect(capture.value("now_nanoseconds") == before + 5)
    }

    @Test func includedRegistryShowsOnceAndDoesNotShadow() {
        let process = MetricRegistry()
        process.counter(Counter("process_things_total", help: "Things.")).series().add(3)
        process.counter(Self.plain).series().add(100)
        metrics.counter(Self.plain).series().increment()
        metrics.include(process)
        metrics.include(process)
        #expect(capture.value("process_things_total") == 3)
        #expect(capture.value("plain_total") == 1)
    }
}
