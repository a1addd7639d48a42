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
