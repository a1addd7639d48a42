internal import Glibc

/// What the loggers of one name share: the threshold, and the parts of a line that never change.
package final class LoggerCore: Sendable {
    static let repeated = LogEvent(
        "telemetry.log_repeated", level: .warn, help: "Equal lines were left out of the log; how many of which.",
        maxRepeatsPerSecond: 0)
    static let levelRestored = LogEvent(
        "telemetry.log_level_restored", help: "A level that was set for a while has ended.")

    package let shared: LoggerShared
    @usableFromInline let threshold: LogThreshold
    private let name: String
    private let layout: LogLineLayout

    init(_ shared: LoggerShared, name: String) {
        self.shared = shared
        self.name = name
        threshold = shared.isSilent ? .silent() : shared.levels.threshold(of: name)
        layout = LogLineLayout(serviceName: shared.serviceName, logger: name, processID: Int(getpid()))
    }

    func named(_ name: String) -> LoggerCore { LoggerCore(shared, name: name) }

    /// Whether lines of this level are made.
    @inlinable @inline(__always)
    package func isEnabled(_ level: LogLevel) -> Bool { threshold.makes(level) }

    /// Writes a line, or keeps it as a detail of the request when its level is not written.
    package func write(_ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>) {
        let now = shared.clock.bothNanoseconds()
        if shared.isDue(now.monotonic) { seeToWhatIsDue(now.monotonic) }
        let context = TelemetryContext.current
        guard threshold.writes(event.level) else {
            guard let details = context.details else { return }
            return encode(event, message, fields, context, now.wall, isRetroactive: true) { line, cleaned in
                details.keep(line, keptRecord(event, message, fields, cleaned, context, now.wall))
            }
        }
        if event.maxRepeatsPerSecond > 0, !admits(event, message, fields, now.monotonic) { return }
        if let sink = shared.sink {
            encode(event, message, fields, context, now.wall, isRetroactive: false) { line, cleaned in
                sink.write(line)
                if shared.records != nil { record(event, message, fields, cleaned, context, now.wall) }
            }
        } else {
            record(event, message, fields, PatternRedaction.cleaned(message, fields), context, now.wall)
        }
        shared.counters.count(event.level)
    }

    /// What a line says once its secrets are out.
    private typealias Cleaned = (message: String, fields: [Attribute])

    /// Encodes the line, without secrets, and hands it on; with it what it was made from, when that had some.
    @inline(__always)
    private func encode(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, _ context: TelemetryContext,
        _ wallNanoseconds: UInt64, isRetroactive: Bool, _ take: (UnsafeRawBufferPointer, Cleaned?) -> Void
    ) {
        let state = ThreadState.current
        state.pointee.scratch.removeAll()
        state.pointee.scratch.isSuspicious = false
        layout.encode(
            event, message, fields, context: context, wallNanoseconds: wallNanoseconds, isRetroactive: isRetroactive,
            into: &state.pointee)
        var cleaned: Cleaned?
        if state.pointee.scratch.isSuspicious {
            cleaned = PatternRedaction.cleaned(message, fields)
            if let cleaned {
                state.pointee.scratch.removeAll()
                layout.encode(
                    event, cleaned.message, cleaned.fields.span, context: context, wallNanoseconds: wallNanoseconds,
                    isRetroactive: isRetroactive, into: &state.pointee)
            }
        }
        take(UnsafeRawBufferPointer(start: state.pointee.scratch.base, count: state.pointee.scratch.count), cleaned)
        state.pointee.scratch.removeAll()
        state.pointee.scratch.shrink(to: ThreadState.keptScratchBytes)
    }

    @inline(never)
    private func record(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, _ cleaned: Cleaned?,
        _ context: TelemetryContext, _ wallNanoseconds: UInt64
    ) {
        guard let records = shared.records else { return }
        let record = LogRecord(
            event: event, message: cleaned?.message ?? message, logger: name, context: context,
            wallNanoseconds: wallNanoseconds)
        if let cleaned {
            records.record(record, cleaned.fields.span)
        } else {
            records.record(record, fields)
        }
    }

    /// What waits with the line of a detail; nil when nobody takes records.
    @inline(never)
    private func keptRecord(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, _ cleaned: Cleaned?,
        _ context: TelemetryContext, _ wallNanoseconds: UInt64
    ) -> KeptLogRecord? {
        guard shared.records != nil else { return nil }
        let record = LogRecord(
            event: event, message: cleaned?.message ?? message, logger: name, context: context,
            wallNanoseconds: wallNanoseconds)
        if let cleaned { return KeptLogRecord(record, cleaned.fields.span) }
        return KeptLogRecord(record, fields)
    }

    @inline(never)
    private func admits(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, _ now: UInt64
    ) -> Bool {
        let (isWritten, reportAt) = shared.limiter.admits(event, message, fields, now: now)
        if let reportAt { shared.schedule(reportAt) }
        if !isWritten { shared.counters.countSuppressed(event.level) }
        return isWritten
    }

    // MARK: Once in a while

    @inline(never)
    private func seeToWhatIsDue(_ now: UInt64) {
        guard shared.takeDue(now) else { return }
        expireOverrides(now)
        report(now)
    }

    /// Ends the levels that were set for a while.
    func expireOverrides(_ now: UInt64) {
        let (ended, next) = shared.levels.expire(now)
        shared.schedule(next)
        for override in ended {
            let level = shared.levels.level(of: override.logger)
            Logger(core: named("telemetry")).log(
                Self.levelRestored, "the level of \(override.logger) is \(level.name) again",
                [Attribute(.loggerLabel, .string(override.logger)), Attribute(.levelLabel, .string(level.name))])
        }
    }

    /// Tells of all repeats that were left out.
    func reportRepeats() { report(.max) }

    private func report(_ now: UInt64) {
        let (reports, next) = shared.limiter.takeReports(now)
        shared.schedule(next)
        guard !reports.isEmpty else { return }
        let logger = Logger(core: named("telemetry"))
        for report in reports {
            logger.log(
                Self.repeated, "\(report.suppressed) more of: \(report.message)",
                [
                    Attribute(.eventLabel, .string(report.event.name)),
                    Attribute(.suppressedLabel, .int(report.suppressed)),
                ])
        }
    }
}

extension AttributeKey {
    static let loggerLabel = AttributeKey("labels.logger")
    static let levelLabel = AttributeKey("labels.level")
    static let eventLabel = AttributeKey("labels.event")
    static let suppressedLabel = AttributeKey("labels.suppressed")
}

extension Logger {
    /// Sets the level of loggers for a while; lines of a level that is off cost nothing again after it.
    /// - Parameters:
    ///   - name: a `log.logger`, which counts for those below it too, or `LogLevelControl.rootName`.
    ///   - seconds: until the level is what it was.
    /// - Returns: false when there are too many such settings.
    package func setLevel(_ level: LogLevel, of name: String, forSeconds seconds: Int) -> Bool {
        let end = core.shared.clock.monotonicNanoseconds() + UInt64(max(0, seconds)) * 1_000_000_000
        guard core.shared.levels.set(.init(logger: name, level: level, expiresAt: end)) else { return false }
        core.shared.schedule(end)
        return true
    }

    /// The levels that were set for a while, with the seconds that are left.
    package func levelOverrides() -> [(logger: String, level: LogLevel, secondsLeft: Int)] {
        let now = core.shared.clock.monotonicNanoseconds()
        core.expireOverrides(now)
        return core.shared.levels.overrides.map { override in
            let left = override.expiresAt - min(now, override.expiresAt)
            return (override.logger, override.level, Int((left + 999_999_999) / 1_000_000_000))
        }
    }
}
