internal import Synchronization
package import Telemetry

/// What the broker client tells of itself (OpenTelemetry messaging conventions, in development; semconv 1.44).
package struct AMQPTelemetry: Sendable {
    package static let sent = Counter(
        "messaging_client_sent_messages_total",
        help: "Messages handed to the broker; those with an `error_type` may not have arrived.",
        labels: messageLabels)
    package static let consumed = Counter(
        "messaging_client_consumed_messages_total", help: "Messages taken from a queue, by what became of them.",
        labels: messageLabels + ["outcome"])
    package static let operationDuration = Histogram(
        "messaging_client_operation_duration_seconds", unit: .seconds,
        help: "Duration of publishing, until the broker's confirm.", labels: durationLabels)
    package static let processDuration = Histogram(
        "messaging_process_duration_seconds", unit: .seconds, help: "Duration of handling one message.",
        labels: durationLabels)
    package static let connected = Gauge(
        "amqp_connected", help: "1 while the connection to the broker is open, else 0.")
    package static let reconnects = Counter(
        "amqp_reconnects_total", help: "Connections to the broker that were opened again.")

    package static let connectedEvent = LogEvent("amqp.connected", help: "The connection to the broker is open.")
    package static let lostEvent = LogEvent(
        "amqp.connection_lost", level: .warn, help: "The connection to the broker is lost, or was not opened again.")
    package static let blockedEvent = LogEvent(
        "amqp.blocked", level: .warn, help: "The broker takes no messages for now: it is short of memory or disk.")
    package static let refusedEvent = LogEvent(
        "amqp.publishing_refused", level: .error,
        help: "The broker closed the publishing channel, usually because an exchange is missing.")
    package static let tooLongEvent = LogEvent(
        "amqp.message_too_long", level: .error, help: "A message is longer than is read; it was rejected.")

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        sent.declaration, consumed.declaration, operationDuration.declaration, processDuration.declaration,
        connected.declaration, reconnects.declaration,
    ]

    /// Every log event that the client emits.
    package static let events: [LogEvent] = [connectedEvent, lostEvent, blockedEvent, refusedEvent, tooLongEvent]

    /// Every name that the client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "publish {destination}", kind: .producer,
                help: "A message on its way to the broker, until its confirm.", attributes: spanAttributes),
            SpanDeclaration(
                "process {queue}", kind: .consumer,
                help: "A message being handled: below the producer's span, and linked to it.",
                attributes: spanAttributes),
        ],
        events: events)

    private static let spanAttributes: [AttributeKey] = [
        .messagingSystem, .messagingOperationName, .messagingOperationType, .messagingDestinationName,
        .messagingMessageID, .messagingConversationID, .messagingRoutingKey, .serverAddress, .serverPort,
    ]

    private static let messageLabels = [
        "messaging_system", "messaging_operation_name", "messaging_destination_name", "error_type",
    ]
    private static let durationLabels = messageLabels + ["server_address", "server_port"]

    let connected: GaugeSeries
    let reconnects: CounterSeries
    let logger: Logger
    let tracer: Tracer
    let metrics: MetricRegistry
    let peer: Peer
    private let destinations: Destinations

    /// The broker, as spans and metrics name it.
    struct Peer: Sendable {
        let address: String
        let port: Int

        /// - Parameter url: one that is none is told of by the first connection.
        init(url: String) {
            let parsed = try? AMQPAddress(url: url)
            address = parsed?.host ?? ""
            port = parsed?.port ?? 0
        }
    }

    init(_ telemetry: Telemetry, url: String) {
        tracer = telemetry.tracer
        logger = telemetry.logger.named("amqp")
        metrics = telemetry.metrics
        peer = Peer(url: url)
        connected = metrics.gauge(Self.connected).series()
        reconnects = metrics.counter(Self.reconnects).series()
        destinations = Destinations()
    }

    /// What all spans about one operation on one destination are told.
    func attributes(_ operation: String, type: String, _ destination: String) -> PreparedAttributes {
        PreparedAttributes(
            [
                Attribute(.messagingSystem, .string(Self.system)),
                Attribute(.messagingOperationName, .string(operation)),
                Attribute(.messagingOperationType, .string(type)),
                Attribute(.messagingDestinationName, .string(destination)),
                Attribute(.serverAddress, .string(peer.address)), Attribute(.serverPort, .int(peer.port)),
            ], for: tracer)
    }

    static let system = "rabbitmq"

    /// Publishes within a PRODUCER span whose context goes into the message: its consumer's span is a child of it.
    func observePublish(
        _ message: AMQPMessage, exchange: String, routingKey: String,
        _ send: (AMQPMessage) async throws -> Void
    ) async throws {
        let destination = destinations.find(exchange.isEmpty ? routingKey : exchange, self)
        let context = TelemetryContext.current
        let span = tracer.startSpan(destination.spanName, kind: .producer, parent: context)
        span.describe(destination.attributes, message, routingKey: routingKey)
        var message = message
        Propagation.inject(context.entering(span.context)) { name, value in
            let isTrace = name == Propagation.traceParent || name == Propagation.traceState
            if isTrace || message.headers[name] == nil { message.headers[name] = .string(value) }
        }
        let start = TelemetryClock.system.monotonicNanoseconds()
        do {
            try await send(message)
            destination.sent.increment()
            destination.duration.record(.seconds(since: start), exemplar: span.context)
            span.end()
        } catch {
            let type = ErrorType.name(of: error)
            span.recordError(type: type)
            destination.failed(type).increment()
            destination.duration(errorType: type).record(.seconds(since: start), exemplar: span.context)
            span.end()
            throw error
        }
    }
}

/// What publishing to one exchange (or straight to one queue) tells; its series are looked up once.
private final class Destination: Sendable {
    let name: String
    let spanName: String
    let attributes: PreparedAttributes
    let sent: CounterSeries
    let duration: HistogramSeries
    let next = AtomicLazyReference<Destination>()
    private let counts: CounterFamily
    private let durations: HistogramFamily
    private let peer: AMQPTelemetry.Peer

    private static let operation = "publish"

    init(_ name: String, _ client: AMQPTelemetry) {
        self.name = name
        spanName = "\(Self.operation) \(name)"
        attributes = client.attributes(Self.operation, type: "send", name)
        counts = client.metrics.counter(AMQPTelemetry.sent)
        durations = client.metrics.histogram(AMQPTelemetry.operationDuration)
        peer = client.peer
        sent = counts.series(AMQPTelemetry.system, Self.operation, name, "")
        duration = durations.series(
            AMQPTelemetry.system, Self.operation, name, "", peer.address, String(peer.port))
        // The first failure is a rise then, not a new series.
        for type in AMQPError.types { _ = failed(type) }
    }

    func failed(_ errorType: String) -> CounterSeries {
        counts.series(AMQPTelemetry.system, Self.operation, name, errorType)
    }

    func duration(errorType: String) -> HistogramSeries {
        durations.series(
            AMQPTelemetry.system, Self.operation, name, errorType, peer.address, String(peer.port))
    }
}

/// The destinations that are published to, found without a lock: a list, because there are only a few.
private final class Destinations: Sendable {
    private let first = AtomicLazyReference<Destination>()

    /// Beyond these each message looks its series up.
    private static let maxKept = 64

    func find(_ name: String, _ client: AMQPTelemetry) -> Destination {
        var destination = first.load() ?? first.storeIfNil(Destination(name, client))
        for _ in 1..<Self.maxKept {
            if destination.name == name { return destination }
            destination = destination.next.load() ?? destination.next.storeIfNil(Destination(name, client))
        }
        return destination.name == name ? destination : Destination(name, client)
    }
}

/// What one queue's consumer tells of itself; its series are looked up once.
struct ConsumerTelemetry: Sendable {
    private let queue: String
    private let spanName: String
    private let attributes: PreparedAttributes
    private let tracer: Tracer
    private let peer: AMQPTelemetry.Peer
    private let acknowledged: CounterSeries
    private let requeued: CounterSeries
    private let rejected: CounterSeries
    private let duration: HistogramSeries
    private let durations: HistogramFamily

    private static let operation = "process"

    init(queue: String, _ client: AMQPTelemetry) {
        self.queue = queue
        spanName = "\(Self.operation) \(queue)"
        attributes = client.attributes(Self.operation, type: "process", queue)
        tracer = client.tracer
        peer = client.peer
        let counts = client.metrics.counter(AMQPTelemetry.consumed)
        acknowledged = counts.series(AMQPTelemetry.system, Self.operation, queue, "", "acknowledged")
        requeued = counts.series(AMQPTelemetry.system, Self.operation, queue, Failure.requeued, Failure.requeued)
        rejected = counts.series(AMQPTelemetry.system, Self.operation, queue, Failure.rejected, Failure.rejected)
        durations = client.metrics.histogram(AMQPTelemetry.processDuration)
        duration = Self.series(durations, queue, "", peer)
    }

    /// The fixed words for messages that were not handled.
    private enum Failure {
        static let requeued = "requeued"
        static let rejected = "rejected"
    }

    private static func series(
        _ durations: HistogramFamily, _ queue: String, _ errorType: String, _ peer: AMQPTelemetry.Peer
    ) -> HistogramSeries {
        durations.series(AMQPTelemetry.system, operation, queue, errorType, peer.address, String(peer.port))
    }

    /// Handles a delivery within a CONSUMER span: a child of the message's context, and linked to it. The message's
    /// request id and baggage are current for the handler.
    func observe(_ delivery: AMQPDelivery, _ handle: (AMQPDelivery) async -> AMQPDisposition) async
        -> AMQPDisposition
    {
        let context = Propagation.extract { delivery.message.headers[$0]?.string }
        let links = context.span.map { [SpanLink($0)] } ?? []
        let span = tracer.startSpan(spanName, kind: .consumer, parent: context, links: links)
        span.describe(attributes, delivery.message, routingKey: delivery.routingKey)
        let start = TelemetryClock.system.monotonicNanoseconds()
        let disposition = await TelemetryContext.$current.withValue(context.entering(span.context)) {
            await handle(delivery)
        }
        let series: HistogramSeries
        if let failure = note(disposition) {
            span.recordError(type: failure)
            series = Self.series(durations, queue, failure, peer)
        } else {
            series = duration
        }
        series.record(.seconds(since: start), exemplar: span.context)
        span.end()
        return disposition
    }

    /// - Returns: the error type of a message that was not handled.
    private func note(_ disposition: AMQPDisposition) -> String? {
        switch disposition {
        case .acknowledge:
            acknowledged.increment()
            return nil
        case .requeue:
            requeued.increment()
            return Failure.requeued
        case .reject:
            rejected.increment()
            return Failure.rejected
        }
    }

    /// Notes a delivery that no handler saw.
    func noteRejected() { rejected.increment() }
}

extension Double {
    fileprivate static func seconds(since start: UInt64) -> Double {
        Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9
    }
}

extension Span {
    fileprivate func describe(_ attributes: PreparedAttributes, _ message: AMQPMessage, routingKey: String) {
        guard isRecording else { return }
        set(attributes)
        set(.messagingMessageID, message.messageID)
        set(.messagingRoutingKey, routingKey)
        if let correlation = message.correlationID { set(.messagingConversationID, correlation) }
    }
}

/// Attributes of the messaging conventions.
extension AttributeKey {
    package static let messagingSystem = AttributeKey("messaging.system")
    package static let messagingOperationName = AttributeKey("messaging.operation.name")
    package static let messagingOperationType = AttributeKey("messaging.operation.type")
    package static let messagingDestinationName = AttributeKey("messaging.destination.name")
    package static let messagingMessageID = AttributeKey("messaging.message.id")
    package static let messagingConversationID = AttributeKey("messaging.message.conversation_id")
    package static let messagingRoutingKey = AttributeKey("messaging.rabbitmq.destination.routing_key")
}
