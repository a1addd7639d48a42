/// What went wrong with the database. Descriptions never contain parameter values.
package enum PostgreSQLError: Error, Sendable, CustomStringConvertible {
    /// The server cannot be reached, or the connection broke; the statement may or may not have run.
    case connection(String)
    /// The server refused the statement. `code` is the SQLSTATE, `constraint` the violated constraint if any.
    case server(code: String, message: String, constraint: String?)
    /// No connection of the pool became free in time.
    case poolTimeout
    case decoding(String)
    case shutDown

    /// SQLSTATE 23505.
    package var isUniqueViolation: Bool { if case .server("23505", _, _) = self { true } else { false } }

    /// Whether the same transaction may succeed when it is run again: serialization failure, deadlock.
    package var isRetryable: Bool {
        if case .server(let code, _, _) = self { code == "40001" || code == "40P01" } else { false }
    }

    package var description: String {
        switch self {
        case .connection(let what): "the database cannot be reached: \(what)"
        case .server(let code, let message, let constraint):
            "the database refused a statement: \(message) (SQLSTATE \(code)\(constraint.map { ", " + $0 } ?? ""))"
        case .poolTimeout: "no database connection became free in time: the pool is too small or statements too slow"
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
        case .decoding: "decoding"
        case .shutDown: "shut_down"
        }
    }
}
