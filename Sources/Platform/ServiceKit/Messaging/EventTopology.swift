internal import AMQP

/// Names and shapes of exchanges and queues. Every service declares what it consumes; all agree on the arguments.
enum EventTopology {
    static let exchange = "orders"
    static let deadLetterExchange = "orders.dlx"
    /// Pauses before the second to the sixth attempt.
    static let retryDelaysMilliseconds = [1_000, 5_000, 30_000, 120_000, 600_000]
    /// Deliveries of a message before it becomes a dead letter.
    static let maxAttempts = 5

    static func queue(service: String, event: String) -> String { "\(service)-service.\(event)" }
    static func retryQueue(_ queue: String, attempt: Int) -> String { "\(queue).retry.\(attempt)" }
    /// Dead letters of an event, of all its consumers; the broker's `x-death` header tells which.
    static func deadLetterQueue(_ event: String) -> String { "\(event).failed" }

    static let exchanges = AMQPTopology(
        exchanges: [.init(exchange, type: "topic"), .init(deadLetterExchange, type: "topic")])

    /// A consumer's queue with its retry queues and its dead-letter queue.
    /// - Parameters: event: names the dead letters. - routingKey: what the queue takes.
    static func consumer(queue: String, event: String, routingKey: String) -> AMQPTopology {
        let dead = deadLetterQueue(event)
        var topology = AMQPTopology(
            queues: [
                .init(
                    queue,
                    arguments: [
                        "x-dead-letter-exchange": .string(deadLetterExchange),
                        "x-dead-letter-routing-key": .string(dead),
                    ]),
                .init(dead),
            ],
            bindings: [
                .init(queue: queue, exchange: exchange, routingKey: routingKey),
                .init(queue: dead, exchange: deadLetterExchange, routingKey: dead),
            ])
        for attempt in 1..<maxAttempts {
            // A message waits here until its time is over, and then dies back into the queue it came from.
            topology.queues.append(
                .init(
                    retryQueue(queue, attempt: attempt),
                    arguments: [
                        "x-message-ttl": .integer(Int64(retryDelaysMilliseconds[attempt - 1])),
                        "x-dead-letter-exchange": .string(""),
                        "x-dead-letter-routing-key": .string(queue),
                    ]))
        }
        return topology
    }
}
