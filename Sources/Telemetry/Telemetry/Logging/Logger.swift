/// Severity of a log line (OpenTelemetry severity numbers).
package enum LogLevel: Int, Comparable, Sendable {
    case debug = 5
    case info = 9
    case warn = 13
    case error = 17

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// A kind of log line, declared once: its name becomes `event.action`.
package struct LogEvent: Hashable, Sendable {
    package let name: String
    package let level: LogLevel
    package let help: String
    package init(_ name: String, level: LogLevel = .info, help: String) {
        self.name = name
        self.level = level
        self.help = help
    }
}

/// Writes structured log lines for one service; the current trace and request id are added by itself.
package struct Logger: Sendable {
    /// Writes one line. The message is for people, and holds no secret and no personal data.
    /// - Parameter fields: dotted ECS names, or `labels.…`.
    package func log(_ event: LogEvent, _ message: @autoclosure () -> String, _ fields: [Attribute] = []) {
        fatalError("skeleton")
    }

    /// The same logger under another `log.logger` name.
    package func named(_ name: String) -> Logger { fatalError("skeleton") }
}
