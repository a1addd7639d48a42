package import AMQP
package import EventLoop
internal import FoundationEssentials
package import PostgreSQL
internal import Synchronization
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
    private let faults: FaultSwitches?
    private let registered = Mutex<Set<Subscription>>([])

    private static let stopSeconds = 10

    package init(
        service: String, broker: AMQPClient, database: PostgreSQLClient, telemetry: Telemetry, group: EventLoopGroup,
        faults: FaultSwitches? = nil
    ) {
        self.faults = faults
        self.service = service
        self.broker = broker
        self.database = database
        self.telemetry = MessagingTelemetry(telemetry)
        relay = OutboxRelay(
            service: service, broker: broker, database: database, telemetry: self.telemetry, loop: group.next(),
            faults: faults)
        broker.declare(EventTopology.exchanges)
    }

    /// Declares the queues of other services too, and holds what this one registered against what it declared.
    /// - Parameter platform: all services that may ever run beside this one.
    /// - Throws: `SubscriptionMismatch`.
    func declare(_ platform: [ServiceDefinition]) throws(SubscriptionMismatch) {
        guard let own = platform.first(where: { $0.name == service }) else { return }
        let registered = registered.withLock { $0 }
        guard registered == Set(own.consumes) else {
            throw SubscriptionMismatch(registered: registered, declared: Set(own.consumes))
        }
        for other in platform where other.name != service {
            for subscription in other.consumes { broker.declare(subscription.topology(of: other.name)) }
        }
    }

    package var isConnected: Bool { broker.isConnected }

    /// Consumes an event; see `Application.on`. Before `start`.
    package func on<E: Event>(
        _ type: E.Type, _ handler: @escaping @Sendable (E, MessageContext) async throws -> Void
    ) {
        consume(.to(type)) { message, context in
            try await handler(JSONDecoder().decode(E.self, from: Data(message.body)), context)
        }
    }

    /// Consumes every event as raw JSON; see `Application.onEveryEvent`. Before `start`.
    package func onEveryEvent(
        queue: String, _ handler: @escaping @Sendable (RawEvent, MessageContext) async throws -> Void
    ) {
        consume(.toEveryEvent(queue: queue)) { message, context in
            let raw = RawEvent(
                type: message.type ?? "", subject: message.correlationID ?? "", messageID: message.messageID,
                json: String(decoding: message.body, as: UTF8.self))
            try await handler(raw, context)
        }
    }

    private func consume(
        _ subscription: Subscription,
        _ handler: @escaping @Sendable (AMQPMessage, MessageContext) async throws -> Void
    ) {
        registered.withLock { _ = $0.insert(subscription) }
        telemetry.expect(subscription.event)
        broker.declare(subscription.topology(of: service))
        let queue = EventTopology.queue(service: service, event: subscription.event)
        let consumer = EventConsumer(
            queue: queue, event: subscription.event, broker: broker, database: database, telemetry: telemetry,
            outbox: outbox,
            handler: handler)
        guard let faults else {
            broker.consume(queue) { await consumer.handle($0) }
            return
        }
        let failing = consumer.failing(with: InjectedFault(fault: .failingConsumers))
        broker.consume(queue) { delivery in
            await faults.meetConsumer(subscription.event)
                ? await failing.handle(delivery) : await consumer.handle(delivery)
        }
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
