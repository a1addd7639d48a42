/// A kind of log line, declared once: its name becomes `event.action`.
package struct LogEvent: Hashable, Sendable {
    package let name: String
    package let level: LogLevel
    package let help: String
    /// How many equal lines (event, message and fields, whatever the request) a second are written; the others are
    /// counted, and told of in one line. Zero: all of them.
    package let maxRepeatsPerSecond: Int
    /// Whether the name may stand in a line as it is.
    let isPlain: Bool

    /// Repeats of warnings and errors that are written: a failure that strikes every request must not drown the rest.
    package static let usualRepeatsPerSecond = 10

    /// - Parameter maxRepeatsPerSecond: nil for `usualRepeatsPerSecond` of warnings and errors, and for all of the rest.
    package init(_ name: String, level: LogLevel = .info, help: String, maxRepeatsPerSecond: Int? = nil) {
        self.name = name
        self.level = level
        self.help = help
        self.maxRepeatsPerSecond = max(0, maxRepeatsPerSecond ?? (level >= .warn ? Self.usualRepeatsPerSecond : 0))
        isPlain = name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
    }
}
