internal import Synchronization
package import Telemetry
internal import TelemetrySDK

/// Telemetry that keeps what was emitted in memory, for assertions. Every span is recorded, every level is logged.
package final class TelemetryCapture: Sendable {
    /// What the code under test is given.
    package let telemetry: Telemetry
    /// The hands of the clock, when the capture was made with one of its own.
    package let clock: ManualClock?
    private let spanMemory = CapturedSpans()
    private let logMemory = CapturedLines()
    private let recordMemory = CapturedRecords()

    /// - Parameters:
    ///   - clock: a clock to move by hand; the system's when nil.
    ///   - logLevel: lines below are not written.
    ///   - logDetails: lines below the level that are kept for each request.
    ///   - histograms: the forms of histograms.
    package init(
        serviceName: String = "test", sampler: Sampler = .alwaysOn, clock: ManualClock? = nil,
        logLevel: LogLevel = .debug, logDetails: LogDetailsPolicy = .off,
        histograms: HistogramForms = HistogramForms()
    ) {
        self.clock = clock
        telemetry = Telemetry(
            resource: ServiceResource(name: serviceName), sampler: sampler, spanSink: spanMemory, logSink: logMemory,
            logLevel: LogLevelControl(logLevel), clock: clock.map(TelemetryClock.manual) ?? .system,
            metrics: MetricRegistry(histograms: histograms),
            logRecordSink: recordMemory, logDetails: logDetails)
    }

    /// Finished spans, in the order of their ends.
    package var spans: [CapturedSpan] { spanMemory.all.map(CapturedSpan.init) }

    /// Finished spans of one name, in the order of their ends.
    package func spans(named name: String) -> [CapturedSpan] { spans.filter { $0.name == name } }

    /// Finished spans of one trace, in the order of their ends.
    package func spans(in trace: TraceID) -> [CapturedSpan] { spans.filter { $0.context.traceID == trace } }

    /// Finished spans as they were handed to the exporter.
    package var endedSpans: [Span] { spanMemory.all }

    /// Log lines as the JSON texts that would be written.
    package var logLines: [String] { logMemory.all }

    /// What a log exporter was given, with the fields.
    package var logRecords: [(record: LogRecord, fields: [Attribute])] { recordMemory.all }

    /// Log lines of one `event.action`.
    package func logLines(event: LogEvent) -> [String] {
        logLines.filter { $0.contains("\"event.action\":\"\(event.name)\"") }
    }

    /// The value of a series in the Prometheus text, for example `orders_created_total` or `x_total{status="ok"}`.
    /// The order of labels does not matter; nil when there is no such series.
    package func value(_ series: String) -> Double? {
        guard let wanted = SeriesText(series) else { return nil }
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            if SeriesText(line[..<space]) == wanted { return Double(line[line.index(after: space)...]) }
        }
        return nil
    }

    /// The sum of the series of a metric that have the given labels, whatever their others are; nil without any.
    package func sum(_ name: String, _ labels: (String, String)...) -> Double? {
        let wanted = labels.map { "\($0.0)=\"\($0.1)\"" }
        let values = text.split(separator: "\n").compactMap { line -> Double? in
            guard line.hasPrefix(name + "{"), wanted.allSatisfy({ line.contains($0) }) else { return nil }
            return line.split(separator: " ").last.flatMap { Double($0) }
        }
        return values.isEmpty ? nil : values.reduce(0, +)
    }

    /// Everything that `/metrics` would show, in Prometheus text.
    package var text: String {
        String(decoding: MetricsExposition.render(telemetry.metrics, format: .fallback), as: UTF8.self)
    }

    /// Everything that `/metrics` would show to a scraper that asks for OpenMetrics.
    package var openMetricsText: String {
        String(
            decoding: MetricsExposition.render(telemetry.metrics, format: .openMetrics(version: "1.0.0")),
            as: UTF8.self)
    }

    /// Forgets the spans and log lines so far.
    package func removeAll() {
        spanMemory.removeAll()
        logMemory.removeAll()
        recordMemory.removeAll()
    }
}

private final class CapturedSpans: SpanSink {
    private let spans = Mutex<[Span]>([])
    var all: [Span] { spans.withLock { $0 } }
    func spanEnded(_ span: Span) { spans.withLock { $0.append(span) } }
    func removeAll() { spans.withLock { $0.removeAll() } }
}

private final class CapturedRecords: LogRecordSink {
    private let records = Mutex<[(record: LogRecord, fields: [Attribute])]>([])
    var all: [(record: LogRecord, fields: [Attribute])] { records.withLock { $0 } }
    func record(_ record: LogRecord, _ fields: borrowing Swift.Span<Attribute>) {
        var copy: [Attribute] = []
        for index in 0..<fields.count { copy.append(fields[index]) }
        let entry = (record: record, fields: copy)
        records.withLock { $0.append(entry) }
    }
    func removeAll() { records.withLock { $0.removeAll() } }
}

private final class CapturedLines: LogSink {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func write(_ line: UnsafeRawBufferPointer) {
        let text = String(decoding: line.last == UInt8(ascii: "\n") ? line.dropLast()[...] : line[...], as: UTF8.self)
        lines.withLock { $0.append(text) }
    }
    func removeAll() { lines.withLock { $0.removeAll() } }
}
