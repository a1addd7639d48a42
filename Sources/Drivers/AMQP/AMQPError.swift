internal import Telemetry

/// What went wrong with the broker. The texts hold neither passwords nor bodies of messages.
package enum AMQPError: Error, Sendable, Hashable, CustomStringConvertible {
    case connection(String)
    /// The broker did not take the message.
    case notConfirmed
    /// No queue is bound for it.
    case returned(String)
    /// The broker said no to what was asked; the connection goes on.
    case refused(String)
    case timedOut
    case tooManyWaiting
    case shutDown

    package var description: String {
        switch self {
        case .connection(let what): "the broker cannot be reached: \(what)"
        case .notConfirmed: "the broker did not take the message"
        case .returned(let what): "no queue takes the message: \(what)"
        case .refused(let what): "the broker refused: \(what)"
        case .timedOut: "the broker did not confirm in time"
        case .tooManyWaiting: "too many messages wait for their confirm"
        case .shutDown: "the broker client has been stopped"
        }
    }

    /// A fixed word for `error.type`.
    package var type: String {
        switch self {
        case .connection: "connection"
        case .notConfirmed: "not_confirmed"
        case .returned: "unroutable"
        case .refused: "refused"
        case .timedOut: "timeout"
        case .tooManyWaiting: "too_many_waiting"
        case .shutDown: "shut_down"
        }
    }

    /// Every word that `type` may be.
    static let types = [
        AMQPError.connection(""), .notConfirmed, .returned(""), .refused(""), .timedOut, .tooManyWaiting, .shutDown,
    ].map(\.type)
}

extension AMQPError: ErrorTypeProviding {
    package var errorType: String { type }
}
