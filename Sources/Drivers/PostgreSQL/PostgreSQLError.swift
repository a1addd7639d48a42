/// What went wrong with the database. Descriptions never contain parameter values.
package enum PostgreSQLError: Error, Sendable, CustomStringConvertible {
    /// The server cannot be reached, or the connection broke; the statement may or may not have run.
    case connection(String)
    /// The server refused the statement. `code` is the SQLSTATE, `constraint` the violated constraint if any.
    case server(code: String, message: String, constraint: String?)
    /// No connection of the pool became free in time.
    case poolTimeout
    /// A value cannot be sent: what is wrong with it, not what it is.
    case invalidParameter(String)
    /// The time of the request that the statement serves was up.
    case deadlineExceeded
    case decoding(String)
    case shutDown

    /// SQLSTATE 23505.
    package var isUniqueViolation: Bool { if case .server("23505", _, _) = self { true } else { false } }

    /// Whether the same transaction may succeed when it is run again: serialization failure, deadlock.
    package var isRetryable: Bool {
        if case .server(let code, _, _) = self { code == "40001" || code == "40P01" } else { false }
    }

    /// Whether the server no longer has the prepared statement, or its plan no longer fits the tables (SQLSTATE 26000,
    /// and 0A000 for "cached plan must not change result type").
    var isStaleStatement: Bool {
        if case .server(let code, _, _) = self { code == "26000" || code == "0A000" } else { false }
    }

    /// What the server refused. Messages of data exceptions (class 22) quote the value: it is taken out.
    static func refused(code: String, message: String, constraint: String?) -> PostgreSQLError {
        guard code.hasPrefix("22"), let first = message.firstIndex(of: "\""),
            let last = message.lastIndex(of: "\""), first < last
        else { return .server(code: code, message: message, constraint: constraint) }
        let told = message[...first] + "…" + message[last...]
        return .server(code: code, message: String(told), constraint: constraint)
    }

    package var description: String {
        switch self {
        case .connection(let what): "the database cannot be reached: \(what)"
        case .server(let code, let message, let constraint):
            "the database refused a statement: \(message) (SQLSTATE \(code)\(constraint.map { ", " + $0 } ?? ""))"
        case .poolTimeout: "no database connection became free in time: the pool is too small or statements too slow"
        case .invalidParameter(let what): "a value cannot be stored: \(what)"
        case .deadlineExceeded: "the request's time was up before the database had answered"
        case .decoding(let what): "a column cannot be read: \(what)"
        case .shutDown: "the database client has been stopped"
        }
    }

    /// A fixed word for `error.type` and the outcome label; the SQLSTATE when the server spoke.
    package var type: String {
        switch self {
        case .connection: "connection"
        case .server(let code, _, _): code
        case .poolTimeout: "pool_timeout"
        case .invalidParameter: "invalid_parameter"
        case .deadlineExceeded: "deadline_exceeded"
        case .decoding: "decoding"
        case .shutDown: "shut_down"
        }
    }
}
