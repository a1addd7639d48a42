internal import Synchronization

/// What all loggers of a service share: where lines go, which are written, and what is due once in a while.
package final class LoggerShared: Sendable {
    let serviceName: String
    let sink: (any LogSink)?
    let records: (any LogRecordSink)?
    let levels: LogLevelControl
    let clock: TelemetryClock
    let counters: LogLineCounters
    let limiter = RepeatLimiter()
    let details: LogDetailsPolicy
    /// Monotonic nanoseconds at which an override ends or repeats are told of; the next line after it sees to that.
    private let due = Atomic<UInt64>(.max)

    init(
        serviceName: String, sink: (any LogSink)?, records: (any LogRecordSink)?, levels: LogLevelControl,
        clock: TelemetryClock, metrics: MetricRegistry, details: LogDetailsPolicy
    ) {
        self.serviceName = serviceName
        self.sink = sink
        self.records = records
        self.levels = levels
        self.clock = clock
        self.details = sink == nil && records == nil ? .off : details
        counters = LogLineCounters(metrics)
        if self.details.maxBytes > 0 { levels.keepDetails() }
    }

    var isSilent: Bool { sink == nil && records == nil }

    func makeDetails() -> LogDetails? {
        details.maxBytes > 0
            ? LogDetails(maxBytes: details.maxBytes, keepsRecords: records != nil, lost: counters.detailsLost) : nil
    }

    @inline(__always)
    func isDue(_ now: UInt64) -> Bool { now >= due.load(ordering: .relaxed) }

    /// Wants to be called again at this time.
    func schedule(_ time: UInt64) {
        var known = due.load(ordering: .relaxed)
        while time < known {
            let (exchanged, original) = due.weakCompareExchange(expected: known, desired: time, ordering: .relaxed)
            if exchanged { return }
            known = original
        }
    }

    /// Takes the time that is due: one thread does what there is to do.
    func takeDue(_ now: UInt64) -> Bool {
        let known = due.load(ordering: .relaxed)
        guard now >= known else { return false }
        return due.compareExchange(expected: known, desired: .max, ordering: .relaxed).exchanged
    }
}

/// How many lines of each level were written, and how many repeats were not.
final class LogLineCounters: Sendable {
    static let written = Counter("telemetry_log_lines_total", help: "Log lines written.", labels: ["level"])
    static let suppressed = Counter(
        "telemetry_log_lines_suppressed_total", help: "Repeated log lines that were left out.", labels: ["level"])

    static let lostDetails = Counter(
        "telemetry_log_details_dropped_total",
        help: "Debug lines of failed or slow requests that had no room until the end.")

    let detailsLost: CounterSeries
    private let debug: CounterSeries
    private let info: CounterSeries
    private let warn: CounterSeries
    private let error: CounterSeries
    private let repeats: CounterFamily

    init(_ metrics: MetricRegistry) {
        let family = metrics.counter(Self.written)
        debug = family.series(LogLevel.debug.name)
        info = family.series(LogLevel.info.name)
        warn = family.series(LogLevel.warn.name)
        error = family.series(LogLevel.error.name)
        detailsLost = metrics.counter(Self.lostDetails).series()
        repeats = metrics.counter(Self.suppressed)
        for level in [LogLevel.warn, .error] { _ = repeats.series(level.name) }
    }

    @inline(__always)
    func count(_ level: LogLevel) {
        switch level {
        case .debug: debug.increment()
        case .info: info.increment()
        case .warn: warn.increment()
        case .error: error.increment()
        }
    }

    func countSuppressed(_ level: LogLevel) { repeats.series(level.name).increment() }
}
