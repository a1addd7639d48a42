/// A value of a header or argument; other kinds of AMQP are read as absent.
package enum AMQPValue: Sendable, Hashable {
    case string(String)
    case integer(Int64)
    case bool(Bool)

    /// The text; nil for other kinds.
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The number; nil for other kinds.
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

/// A message that a queue handed out.
package struct AMQPDelivery: Sendable {
    package let message: AMQPMessage
    package let queue: String
    package let exchange: String
    package let routingKey: String
    /// Whether it may have been handed out before.
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
