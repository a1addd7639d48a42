package import AMQP
package import EventLoop
internal import FoundationEssentials
package import PostgreSQL
package import Telemetry

/// A service's part in the exchange of events: what it consumes, and the relay of what it publishes.
package final class EventBus: Component {
    package let name = "events"
    package let outbox = Outbox()

    private let service: String
    private let broker: AMQPClient
    private let database: PostgreSQLClient
    private let telemetry: MessagingTelemetry
    private let relay: OutboxRelay

    private static let stopSeconds = 10

    package init(
        service: String, broker: AMQPClient, database: PostgreSQLClient, telemetry: Telemetry, group: EventLoopGroup
    ) {
        self.service = service
        self.broker = broker
        self.database = database
        self.telemetry = MessagingTelemetry(telemetry)
        relay = OutboxRelay(
            service: service, broker: broker, database: database, telemetry: self.telemetry, loop: group.next())
        broker.declare(EventTopology.exchanges)
    }

    package var isConnected: Bool { broker.isConnected }

    /// Consumes an event; see `Application.on`. Before `start`.
    package func on<E: Event>(
        _ type: E.Type, _ handler: @escaping @Sendable (E, MessageContext) async throws -> Void
    ) {
        consume(
            queue: EventTopology.queue(service: service, event: E.type), event: E.type, routingKey: E.type
        ) { message, context in
            try await handler(JSONDecoder().decode(E.self, from: Data(message.body)), context)
        }
    }

    /// Consumes every event as raw JSON; see `Application.onEveryEvent`. Before `start`.
    package func onEveryEvent(
        queue: String, _ handler: @escaping @Sendable (RawEvent, MessageContext) async throws -> Void
    ) {
        consume(
            queue: EventTopology.queue(service: service, event: queue), event: queue, routingKey: "#"
        ) { message, context in
            let raw = RawEvent(
                type: message.type ?? "", subject: message.correlationID ?? "", messageID: message.messageID,
                json: String(decoding: message.body, as: UTF8.self))
            try await handler(raw, context)
        }
    }

    private func consume(
        queue: String, event: String, routingKey: String,
        _ handler: @escaping @Sendable (AMQPMessage, MessageContext) async throws -> Void
    ) {
        telemetry.expect(event)
        broker.declare(EventTopology.consumer(queue: queue, event: event, routingKey: routingKey))
        let consumer = EventConsumer(
            queue: queue, event: event, broker: broker, database: database, telemetry: telemetry, outbox: outbox,
            handler: handler)
        broker.consume(queue) { await consumer.handle($0) }
    }

    package func start() async throws {
        try await broker.start()
        relay.start()
    }

    package func stop() async {
        await relay.stop()
        await broker.stop(timeoutSeconds: Self.stopSeconds)
    }
}
