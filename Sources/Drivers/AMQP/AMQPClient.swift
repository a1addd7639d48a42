package import EventLoop
package import Telemetry

/// RabbitMQ through rabbitmq-c: one connection on a thread of its own, publisher confirms, consumers with manual
/// acknowledgement, heartbeats, reconnection with the topology declared again.
///
/// ```swift
/// let client = AMQPClient(configuration: .init(url: url), group: group, telemetry: telemetry)
/// client.declare(AMQPTopology(exchanges: [.init("orders", type: "topic")], queues: [.init("mine")], bindings: …))
/// client.consume("mine") { delivery in .acknowledge }
/// try await client.start()
/// try await client.publish(message, exchange: "orders", routingKey: "order.created")
/// ```
package final class AMQPClient: Sendable {
    package struct Configuration: Sendable {
        /// `amqp://user:password@host:port/vhost`; the password is never printed.
        package var url: String
        /// Both sides drop the connection after about twice this time without a sign of life.
        package var heartbeatSeconds = 10
        /// Deliveries of each consumer that may wait for their acknowledgement.
        package var prefetch = 32
        package var connectTimeoutMilliseconds = 2_000
        package var confirmTimeoutMilliseconds = 5_000
        /// Messages that may wait for their confirm; `publish` refuses beyond.
        package var maxUnconfirmed = 4_096
        /// `client_properties.connection_name`, shown by the management page.
        package var connectionName = "vitrine"
        package init(url: String) { self.url = url }
    }

    private let worker: AMQPWorker
    private let telemetry: AMQPTelemetry

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) {
        self.telemetry = AMQPTelemetry(telemetry, url: configuration.url)
        worker = AMQPWorker(configuration: configuration, group: group, telemetry: self.telemetry)
    }

    /// Declared on every (re)connection, in order. Add all of it before `start`.
    package func declare(_ topology: AMQPTopology) { worker.declare(topology) }

    /// Calls `handler` for each delivery, on an event loop. Register before `start`, once a queue.
    package func consume(_ queue: String, handler: @escaping @Sendable (AMQPDelivery) async -> AMQPDisposition) {
        worker.consume(queue, handler)
    }

    /// Connects, declares, starts consuming.
    /// - Throws: `AMQPError.connection` when the first connection fails, and `start` may be called again; later
    ///   connections are opened again by themselves.
    package func start() async throws { try await worker.start() }

    /// Cancels consumers, waits for handlers under way up to the deadline, closes. What they publish meanwhile still
    /// goes out; what they leave unacknowledged is delivered again.
    package func stop(timeoutSeconds: Int) async { await worker.stop(timeoutSeconds: timeoutSeconds) }

    /// Publishes persistently and returns when the broker has confirmed it. Trace context, baggage and request id
    /// of the current task go along.
    /// - Throws: `AMQPError`; then the message may or may not have arrived.
    package func publish(_ message: AMQPMessage, exchange: String, routingKey: String) async throws {
        try await telemetry.observePublish(message, exchange: exchange, routingKey: routingKey) { message in
            try await worker.publish(message, exchange: exchange, routingKey: routingKey)
        }
    }

    /// How many messages are ready in a queue.
    /// - Throws: `AMQPError.refused` when there is no such queue.
    package func messageCount(of queue: String) async throws -> Int {
        try await withCheckedThrowingContinuation { worker.mailbox.post(.count(queue: queue, $0)) }
    }

    /// The message at the head of a queue, which stays in the queue, from then on marked as redelivered; nil when it
    /// is empty. For inspection: whoever handles messages consumes.
    /// - Throws: `AMQPError.refused` when there is no such queue.
    package func peek(queue: String) async throws -> AMQPDelivery? {
        try await withCheckedThrowingContinuation { worker.mailbox.post(.get(queue: queue, then: .requeue, $0)) }
    }

    /// Takes the message at the head of a queue out of it; nil when it is empty.
    /// - Throws: `AMQPError.refused` when there is no such queue.
    package func take(queue: String) async throws -> AMQPDelivery? {
        try await withCheckedThrowingContinuation { worker.mailbox.post(.get(queue: queue, then: .acknowledge, $0)) }
    }

    /// Whether the connection is up: for readiness.
    package var isConnected: Bool { worker.mailbox.isConnected }
}
