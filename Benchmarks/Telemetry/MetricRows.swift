import Telemetry
import TelemetrySDK

extension Row {
    private static let requests = Counter(
        "http_requests_total", help: "Requests.", labels: ["method", "route", "status"])
    private static let duration = Histogram(
        "http_request_duration_seconds", unit: .seconds, help: "Duration.", labels: ["method", "route"])

    static let metrics: [Row] = [
        Row("counter", cachedCounter),
        Row("counter-two-threads", threads: 2, cachedCounter),
        Row("histogram") {
            let series = MetricRegistry().histogram(duration).series("GET", "/orders/{id}")
            return { times in
                for index in 0..<times { series.record(values[index & (values.count - 1)]) }
            }
        },
        Row("histogram-native") {
            let series = MetricRegistry(histograms: native).histogram(duration).series("GET", "/orders/{id}")
            return { times in
                for index in 0..<times { series.record(values[index & (values.count - 1)]) }
            }
        },
        Row("lookup") {
            let family = MetricRegistry().counter(requests)
            return { times in
                for index in 0..<times {
                    family.series("GET", routes[index & 3], statuses[index >> 2 & 3]).increment()
                }
            }
        },
        Row("scrape") { scrape(.fallback) },
        Row("scrape-openmetrics") { scrape(.openMetrics(version: "1.0.0")) },
        Row("scrape-native") { scrape(.protobuf) },
    ]

    /// Explicit buckets and the exponential form.
    private static let native = HistogramForms(native: .together)

    /// From 1 ms to 10 s: as an HTTP service sees them, most of them short.
    private static let values: [Double] = (0..<64).map { index in
        let milliseconds = Double(1 + index % 8)
        return index % 16 == 0 ? milliseconds : milliseconds / 1_000
    }
    private static let routes = ["/orders", "/orders/{id}", "/products", "/products/{id}"]
    private static let statuses = ["200", "201", "404", "500"]

    @Sendable private static func cachedCounter() -> @Sendable (Int) -> Void {
        let series = MetricRegistry().counter(requests).series("GET", "/orders/{id}", "200")
        return { times in
            for _ in 0..<times { series.increment() }
        }
    }

    /// 10,000 series: 7,000 counters with three labels, and 200 histograms of 12 bounds.
    private static func scrape(_ format: ExpositionFormat) -> @Sendable (Int) -> Void {
        let registry = MetricRegistry(histograms: format == .protobuf ? native : HistogramForms())
        for family in 0..<7 {
            let counters = registry.counter(
                Counter("bench_\(family)_total", help: "Counts.", labels: ["method", "route", "status"]))
            for index in 0..<1_000 {
                counters.series("GET", "/path/\(index / 4)", statuses[index & 3]).add(Double(index) * 12_345)
            }
        }
        let histograms = registry.histogram(
            Histogram(
                "bench_duration_seconds", unit: .seconds, help: "Duration.", labels: ["method", "route"],
                buckets: Array(Histogram.durationBuckets.prefix(12))))
        for index in 0..<200 {
            let series = histograms.series("GET", "/path/\(index)")
            for value in values { series.record(value) }
        }
        return { times in
            for _ in 0..<times {
                precondition(MetricsExposition.render(registry, format: format).count > 100_000)
            }
        }
    }
}
