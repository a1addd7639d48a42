import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

/// Label values from outside, as many, as long and as hostile as they like: memory has a bound, and nothing is lost
/// without being counted. Serialized: these tests look at the memory of the process.
@Suite(.serialized) struct CardinalityTests {
    private let capture = TelemetryCapture()
    private var metrics: MetricRegistry { capture.telemetry.metrics }

    static let visits = Counter("visits_total", help: "Visits.", labels: ["page"])
    /// What other tests of the same process may take meanwhile, and the series up to the bound.
    static let maxGrowthBytes = 64.0 * 1024 * 1024

    /// Bytes that are allocated and not freed.
    private var usedBytes: Double {
        let registry = MetricRegistry()
        ProcessMetrics.register(in: registry)
        let text = String(decoding: MetricsExposition.render(registry, format: .fallback), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("process_heap_used_bytes ") }
        return line.flatMap { Double($0.split(separator: " ")[1]) } ?? .infinity
    }

    @Test func aMillionLabelValuesStayWithinTheBoundAndEachIsCounted() {
        let family = metrics.counter(Self.visits)
        let before = usedBytes
        for index in 0..<1_000_000 { family.series("/product/\(index)").increment() }
        #expect(usedBytes - before < Self.maxGrowthBytes)
        #expect(family.allSeries.count == MetricRegistry.maxSeriesPerMetric + 1)
        let lost = Double(1_000_000 - MetricRegistry.maxSeriesPerMetric)
        #expect(capture.value(#"visits_total{otel_metric_overflow="true"}"#) == lost)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="overflow"}"#) == lost)
        #expect(family.allSeries.reduce(0) { $0 + $1.value } == 1_000_000)
        // One warning for the metric, not a million.
        let warnings = capture.logLines.filter { $0.contains("telemetry.metric_misuse") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(#""log.level":"warn""#) == true)
    }

    @Test func everyKindOverflowsFromEveryThreadWithoutLosingAnUpdate() {
        let durations = metrics.histogram(
            Histogram("visit_seconds", unit: .seconds, help: "Visits.", labels: ["page"], buckets: [1]))
        let open = metrics.upDownCounter(UpDownCounter("visits_open", help: "Visits.", labels: ["page"]))
        let threads = ThreadGroup(count: 8) {
            for index in 0..<4_000 {
                durations.series("/\(index)").record(2)
                open.series("/\(index)").add(1)
            }
        }
        threads.join()
        #expect(durations.allSeries.count == 2_001)
        #expect(durations.allSeries.reduce(0) { $0 + $1.snapshot.counts.reduce(0, +) } == 32_000)
        #expect(open.allSeries.reduce(0) { $0 + $1.value } == 32_000)
        #expect(capture.value(#"visit_seconds_count{otel_metric_overflow="true"}"#) == 16_000)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="overflow"}"#) == 32_000)
    }

    @Test func aLabelValueWithoutEndIsCutAndKeepsNoMemory() {
        let family = metrics.counter(Self.visits)
        let megabyte = String(repeating: "x", count: 1_000_000)
        let before = usedBytes
        for index in 0..<500 { family.series("/\(index)/" + megabyte).increment() }
        #expect(usedBytes - before < Self.maxGrowthBytes)
        #expect(capture.text.utf8.count < 500 * 400)
        // Values that read alike once they are cut are one series: twice the same one would end a scrape.
        family.series(megabyte + "1").increment()
        family.series(megabyte + "2").increment()
        let cut = String(repeating: "x", count: LabelText.maxValueBytes)
        #expect(capture.value("visits_total{page=\"\(cut)\"}") == 2)
        // Characters are kept whole.
        family.series(String(repeating: "x", count: LabelText.maxValueBytes - 1) + "漢").increment()
        #expect(capture.value("visits_total{page=\"\(cut.dropLast())\"}") == 1)
    }

    @Test func observedSeriesAreBoundedToo() {
        let gauge = Gauge("shelf_items", help: "Items.", labels: ["shelf"])
        for index in 0..<2_100 { metrics.observe(gauge, labels: ["\(index)"]) { 1 } }
        #expect(capture.text.split(separator: "\n").count { $0.hasPrefix("shelf_items{") } == 2_000)
        #expect(capture.value(#"telemetry_metric_misuse_total{reason="overflow"}"#) == 100)
    }
}
