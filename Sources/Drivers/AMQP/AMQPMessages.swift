/// Exchanges, queues and bindings that a service relies on; all durable.
package struct AMQPTopology: Sendable {
    package struct Exchange: Sendable {
        package var name: String
        /// `direct`, `topic` or `fanout`.
        package var type: String
        package init(_ name: String, type: String) {
            self.name = name
            self.type = type
        }
    }
    package struct Queue: Sendable {
        package var name: String
        /// `x-…` arguments.
        package var arguments: [String: AMQPValue]
        package init(_ name: String, arguments: [String: AMQPValue] = [:]) {
            self.name = name
            self.arguments = arguments
        }
    }
    package struct Binding: Sendable {
        package var queue: String
        package var exchange: String
        package var routingKey: String
        package init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }
    package var exchanges: [Exchange]
    package var queues: [Queue]
    package var bindings: [Binding]
    package init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

/// A value of a header or argument; other kinds of AMQP are read as absent.
package enum AMQPValue: Sendable, Hashable {
    case string(String)
    case integer(Int64)
    case bool(Bool)

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
}

/// A message, always persistent.
package struct AMQPMessage: Sendable {
    package var messageID: String
    package var correlationID: String?
    package var type: String?
    package var contentType = "application/json"
    package var headers: [String: AMQPValue]
    package var body: [UInt8]
    /// Seconds since 1970.
    package var timestamp: UInt64?
    package init(messageID: String, headers: [String: AMQPValue] = [:], body: [UInt8]) {
        self.messageID = messageID
        self.headers = headers
        self.body = body
    }
}

package struct AMQPDelivery: Sendable {
    package let message: AMQPMessage
    package let queue: String
    package let exchange: String
    package let routingKey: String
    package let isRedelivered: Bool
}

/// What becomes of a delivery.
package enum AMQPDisposition: Sendable, Hashable {
    case acknowledge
    /// Back to the head of the queue.
    case requeue
    /// To the queue's dead-letter exchange.
    case reject
}

/// What went wrong with the broker.
package enum AMQPError: Error, Sendable, Hashable, CustomStringConvertible {
    case connection(String)
    /// The broker refused the message.
    case notConfirmed
    /// No queue is bound for it.
    case returned(String)
    case timedOut
    case tooManyWaiting
    case shutDown

    package var description: String {
        switch self {
        case .connection(let what): "the broker cannot be reached: \(what)"
        case .notConfirmed: "the broker did not take the message"
        case .returned(let what): "no queue takes the message: \(what)"
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
        case .timedOut: "timeout"
        case .tooManyWaiting: "too_many_waiting"
        case .shutDown: "shut_down"
        }
    }
}
