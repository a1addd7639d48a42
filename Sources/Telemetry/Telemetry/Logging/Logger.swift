internal import Glibc

/// Severity of a log line (OpenTelemetry severity numbers).
package enum LogLevel: Int, Comparable, Sendable {
    case debug = 5
    case info = 9
    case warn = 13
    case error = 17

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

    /// As `LOG_LEVEL` writes it, in any case; nil for anything else.
    package init?(name: String) {
        switch name.lowercased() {
        case "debug": self = .debug
        case "info": self = .info
        case "warn", "warning": self = .warn
        case "error": self = .error
        default: return nil
        }
    }

    /// As the line names it (`log.level`).
    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        }
    }
}

/// A kind of log line, declared once: its name becomes `event.action`.
package struct LogEvent: Hashable, Sendable {
    package let name: String
    package let level: LogLevel
    package let help: String
    /// Whether the name may stand in a line as it is.
    let isPlain: Bool

    package init(_ name: String, level: LogLevel = .info, help: String) {
        isPlain = name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
        self.name = name
        self.level = level
        self.help = help
    }
}

/// Writes structured log lines for one service; the current trace and request id are added by itself.
package struct Logger: Sendable {
    /// What the loggers of this name share.
    package let core: LoggerCore

    init(core: LoggerCore) { self.core = core }

    /// Writes one line. The message is for people, and holds no secret and no personal data.
    /// - Parameter fields: dotted ECS names, or `labels.…`.
    ///   Neither they nor the message are made when the level is off.
    @inlinable @inline(__always)
    package func log(
        _ event: LogEvent, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [Attribute] = []
    ) {
        guard core.isEnabled(event.level) else { return }
        // A literal of fields lives on the caller's stack: nothing keeps what the span shows.
        let fields = fields()
        core.write(event, message(), fields.span)
    }

    /// The same logger under another `log.logger` name.
    package func named(_ name: String) -> Logger { Logger(core: core.named(name)) }

    /// The level below which lines are left out; shared by all loggers of the service.
    package var level: LogLevelControl { core.control }
}

/// What the loggers of one name share: the sink, the level, and the parts of a line that never change.
package final class LoggerCore: Sendable {
    @usableFromInline let control: LogLevelControl
    @usableFromInline let sink: (any LogSink)?
    private let clock: TelemetryClock
    private let serviceName: String
    private let lines: LogLineCounters
    private let layout: LogLineLayout

    init(
        serviceName: String, logger: String, sink: (any LogSink)?, control: LogLevelControl, clock: TelemetryClock,
        lines: LogLineCounters
    ) {
        self.serviceName = serviceName
        self.sink = sink
        self.control = control
        self.clock = clock
        self.lines = lines
        layout = LogLineLayout(serviceName: serviceName, logger: logger, processID: Int(getpid()))
    }

    func named(_ name: String) -> LoggerCore {
        LoggerCore(
            serviceName: serviceName, logger: name, sink: sink, control: control, clock: clock, lines: lines)
    }

    /// Whether lines of this level are written.
    @inlinable @inline(__always)
    package func isEnabled(_ level: LogLevel) -> Bool { sink != nil && control.allows(level) }

    /// Encodes a line and hands it to the sink.
    package func write(_ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>) {
        guard let sink else { return }
        let state = ThreadState.current
        state.pointee.scratch.removeAll()
        layout.encode(
            event, message, fields, context: TelemetryContext.current, wallNanoseconds: clock.wallNanoseconds(),
            into: &state.pointee)
        sink.write(UnsafeRawBufferPointer(start: state.pointee.scratch.base, count: state.pointee.scratch.count))
        state.pointee.scratch.removeAll()
        state.pointee.scratch.shrink(to: ThreadState.keptScratchBytes)
        lines.count(event.level)
    }
}

/// How many lines of each level were written.
final class LogLineCounters: Sendable {
    static let written = Counter("telemetry_log_lines_total", help: "Log lines written.", labels: ["level"])
    private let debug: CounterSeries
    private let info: CounterSeries
    private let warn: CounterSeries
    private let error: CounterSeries

    init(_ metrics: MetricRegistry) {
        let family = metrics.counter(Self.written)
        debug = family.series(LogLevel.debug.name)
        info = family.series(LogLevel.info.name)
        warn = family.series(LogLevel.warn.name)
        error = family.series(LogLevel.error.name)
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
}
