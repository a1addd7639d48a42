package import PostgreSQL

/// A fact that a service tells the others. Its JSON is the message body; keys are snake_case.
package protocol Event: Codable, Sendable {
    /// Routing key and CloudEvents type: `order.created`.
    static var type: String { get }
    /// CloudEvents subject and the message's correlation id: the order id.
    var subject: String { get }
}

/// What a consumer knows besides the event, and how it answers in the same transaction.
package struct MessageContext: Sendable {
    package let transaction: PostgreSQLTransaction
    package let messageID: String
    /// 1 for the first delivery.
    package let attempt: Int
    let outbox: Outbox

    /// Appends to the outbox, inside the handler's transaction.
    package func publish(_ event: some Event) async throws { try await outbox.append(event, in: transaction) }
}

/// An event as it came over the wire.
package struct RawEvent: Sendable {
    package let type: String
    package let subject: String
    package let messageID: String
    package let json: String
}

/// Thrown by a handler for a message that can never succeed: it goes to the dead-letter queue at once.
package struct PoisonMessage: Error, Sendable {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}
