package import Telemetry

/// What the broker client tells of itself (OpenTelemetry messaging conventions, in development; semconv 1.44).
package struct AMQPTelemetry: Sendable {
    package static let sent = Counter(
        "messaging_client_sent_messages_total", help: "Messages handed to the broker.",
        labels: ["destination", "outcome"])
    package static let consumed = Counter(
        "messaging_client_consumed_messages_total", help: "Messages taken from a queue, by what became of them.",
        labels: ["queue", "outcome"])
    package static let publishDuration = Histogram(
        "messaging_publish_duration_seconds", unit: .seconds,
        help: "Duration of publishing, until the broker's confirm.", labels: ["destination"])
    package static let processDuration = Histogram(
        "messaging_process_duration_seconds", unit: .seconds, help: "Duration of handling one message.",
        labels: ["queue"])
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
        sent.declaration, consumed.declaration, publishDuration.declaration, processDuration.declaration,
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
        .messagingMessageID, .messagingConversationID, .messagingRoutingKey,
    ]

    let connected: GaugeSeries
    let reconnects: CounterSeries
    let logger: Logger
    let tracer: Tracer
    let consumed: CounterFamily
    let processing: HistogramFamily
    private let sent: CounterFamily
    private let publishing: HistogramFamily

    init(_ telemetry: Telemetry) {
        tracer = telemetry.tracer
        logger = telemetry.logger.named("amqp")
        let metrics = telemetry.metrics
        connected = metrics.gauge(Self.connected).series()
        reconnects = metrics.counter(Self.reconnects).series()
        sent = metrics.counter(Self.sent)
        consumed = metrics.counter(Self.consumed)
        publishing = metrics.histogram(Self.publishDuration)
        processing = metrics.histogram(Self.processDuration)
    }

    /// Publishes within a PRODUCER span whose context goes into the message: its consumer's span is a child of it.
    func observePublish(
        _ message: AMQPMessage, exchange: String, routingKey: String,
        _ send: (AMQPMessage) async throws -> Void
    ) async throws {
        let destination = exchange.isEmpty ? routingKey : exchange
        let context = TelemetryContext.current
        let span = tracer.startSpan("publish \(destination)", kind: .producer, parent: context)
        span.describe(operation: "publish", type: "send", destination: destination, message, routingKey: routingKey)
        var message = message
        Propagation.inject(context.entering(span.context)) { name, value in
            let isTrace = name == Propagation.traceParent || name == Propagation.traceState
            if isTrace || message.headers[name] == nil { message.headers[name] = .string(value) }
        }
        let start = TelemetryClock.system.monotonicNanoseconds()
        defer {
            publishing.series(destination).record(.seconds(since: start), exemplar: span.context)
            span.end()
        }
        do {
            try await send(message)
            sent.series(destination, "success").increment()
        } catch {
            span.recordError(type: ErrorType.name(of: error))
            sent.series(destination, "error").increment()
            throw error
        }
    }
}

/// What one queue's consumer tells of itself; its series are looked up once.
struct ConsumerTelemetry: Sendable {
    private let name: String
    private let tracer: Tracer
    private let acknowledged: CounterSeries
    private let requeued: CounterSeries
    private let rejected: CounterSeries
    private let duration: HistogramSeries

    init(queue: String, _ telemetry: AMQPTelemetry) {
        name = "process \(queue)"
        tracer = telemetry.tracer
        acknowledged = telemetry.consumed.series(queue, "acknowledged")
        requeued = telemetry.consumed.series(queue, "requeued")
        rejected = telemetry.consumed.series(queue, "rejected")
        duration = telemetry.processing.series(queue)
    }

    /// Handles a delivery within a CONSUMER span: a child of the message's context, and linked to it. The message's
    /// request id and baggage are current for the handler.
    func observe(_ delivery: AMQPDelivery, _ handle: (AMQPDelivery) async -> AMQPDisposition) async
        -> AMQPDisposition
    {
        let context = Propagation.extract { delivery.message.headers[$0]?.string }
        let links = context.span.map { [SpanLink($0)] } ?? []
        let span = tracer.startSpan(name, kind: .consumer, parent: context, links: links)
        span.describe(
            operation: "process", type: "process", destination: delivery.queue, delivery.message,
            routingKey: delivery.routingKey)
        let start = TelemetryClock.system.monotonicNanoseconds()
        let disposition = await TelemetryContext.$current.withValue(context.entering(span.context)) {
            await handle(delivery)
        }
        note(disposition, span)
        duration.record(.seconds(since: start), exemplar: span.context)
        span.end()
        return disposition
    }

    private func note(_ disposition: AMQPDisposition, _ span: Span) {
        switch disposition {
        case .acknowledge: acknowledged.increment()
        case .requeue:
            requeued.increment()
            span.recordError(type: "requeued")
        case .reject:
            rejected.increment()
            span.recordError(type: "rejected")
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
    fileprivate func describe(
        operation: String, type: String, destination: String, _ message: AMQPMessage, routingKey: String
    ) {
        guard isRecording else { return }
        set(.messagingSystem, "rabbitmq")
        set(.messagingOperationName, operation)
        set(.messagingOperationType, type)
        set(.messagingDestinationName, destination)
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
