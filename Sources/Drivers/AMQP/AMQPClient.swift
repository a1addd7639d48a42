package import EventLoop
package import Telemetry

/// RabbitMQ through rabbitmq-c: one connection on a thread of its own, publisher confirms, consumers with manual
/// acknowledgement, heartbeats, reconnection with the topology declared again.
package final class AMQPClient: Sendable {
    package struct Configuration: Sendable {
        /// `amqp://user:password@host:port/vhost`; the password is never printed.
        package var url: String
        package var heartbeatSeconds = 10
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
        self.telemetry = AMQPTelemetry(telemetry)
        worker = AMQPWorker(configuration: configuration, group: group, telemetry: self.telemetry)
    }

    /// Declared on every (re)connection, in order. Add all of it before `start`.
    package func declare(_ topology: AMQPTopology) { worker.declare(topology) }

    /// Calls `handler` for each delivery, on an event loop. Register before `start`.
    package func consume(_ queue: String, handler: @escaping @Sendable (AMQPDelivery) async -> AMQPDisposition) {
        worker.consume(queue, handler)
    }

    /// Connects, declares, starts consuming.
    /// - Throws: `AMQPError.connection` when the first connection fails; later ones are opened again by themselves.
    package func start() async throws { try await worker.start() }

    /// Cancels consumers, waits for handlers under way up to the deadline, closes.
    package func stop(timeoutSeconds: Int) async { await worker.stop(timeoutSeconds: timeoutSeconds) }

    /// Publishes persistently and returns when the broker has confirmed it. Trace context, baggage and request id
    /// of the current task go along.
    /// - Throws: `AMQPError`; then the message may or may not have arrived.
    package func publish(_ message: AMQPMessage, exchange: String, routingKey: String) async throws {
        try await telemetry.observePublish(message, exchange: exchange, routingKey: routingKey) { message in
            try await worker.publish(message, exchange: exchange, routingKey: routingKey)
        }
    }

    /// How many messages wait in a queue of this service.
    /// - Throws: `AMQPError.connection` when there is no such queue; the connection is then opened again.
    package func messageCount(of queue: String) async throws -> Int { try await worker.messageCount(of: queue) }

    /// Whether the connection is up: for readiness.
    package var isConnected: Bool { worker.isConnected }
}
