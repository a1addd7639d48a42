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

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        sent.declaration, consumed.declaration, publishDuration.declaration, processDuration.declaration,
        connected.declaration, reconnects.declaration,
    ]

    let connected: GaugeSeries
    let reconnects: CounterSeries
    private let tracer: Tracer
    private let sent: CounterFamily
    private let consumed: CounterFamily
    private let publishing: HistogramFamily
    private let processing: HistogramFamily
    private let clock = TelemetryClock.system

    init(_ telemetry: Telemetry) {
        tracer = telemetry.tracer
        let metrics = telemetry.metrics
        connected = metrics.gauge(Self.connected).series()
        reconnects = metrics.counter(Self.reconnects).series()
        sent = metrics.counter(Self.sent)
        consumed = metrics.counter(Self.consumed)
        publishing = metrics.histogram(Self.publishDuration)
        processing = metrics.histogram(Self.processDuration)
    }

    /// Publishes within a PRODUCER span whose context goes into the message, unless it brings its own.
    func observePublish(
        _ message: AMQPMessage, exchange: String, routingKey: String,
        _ send: (AMQPMessage) async throws -> Void
    ) async throws {
        let destination = exchange.isEmpty ? routingKey : exchange
        let context = TelemetryContext.current
        let span = tracer.startSpan("publish \(destination)", kind: .producer, parent: context)
        describe(span, operation: "publish", type: "send", destination: destination, message, routingKey: routingKey)
        var message = message
        Propagation.inject(context.entering(span.context)) { name, value in
            if name == Propagation.traceParent || name == Propagation.traceState || message.headers[name] == nil {
                message.headers[name] = .string(value)
            }
        }
        let start = clock.monotonicNanoseconds()
        defer {
            publishing.series(destination).record(
                Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            try await send(message)
            sent.series(destination, "success").increment()
        } catch {
            span.recordError(type: (error as? AMQPError)?.type ?? "other")
            sent.series(destination, "error").increment()
            throw error
        }
    }

    /// Handles a delivery within a CONSUMER span: a child of the message's context, and linked to it.
    func observeProcess(
        _ delivery: AMQPDelivery, _ handle: (AMQPDelivery) async -> AMQPDisposition
    ) async -> AMQPDisposition {
        let context = Propagation.extract { delivery.message.headers[$0]?.string }
        let links = context.span.map { [SpanLink($0)] } ?? []
        let span = tracer.startSpan("process \(delivery.queue)", kind: .consumer, parent: context, links: links)
        describe(
            span, operation: "process", type: "process", destination: delivery.queue, delivery.message,
            routingKey: delivery.routingKey)
        let start = clock.monotonicNanoseconds()
        let disposition = await TelemetryContext.$current.withValue(context.entering(span.context)) {
            await handle(delivery)
        }
        let outcome =
            switch disposition {
            case .acknowledge: "acknowledged"
            case .requeue: "requeued"
            case .reject: "rejected"
            }
        if disposition != .acknowledge { span.recordError(type: outcome) }
        consumed.series(delivery.queue, outcome).increment()
        processing.series(delivery.queue).record(
            Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
        span.end()
        return disposition
    }

    private func describe(
        _ span: Span, operation: String, type: String, destination: String, _ message: AMQPMessage, routingKey: String
    ) {
        guard span.isRecording else { return }
        span.set(.messagingSystem, "rabbitmq")
        span.set(.messagingOperationName, operation)
        span.set(.messagingOperationType, type)
        span.set(.messagingDestinationName, destination)
        span.set(.messagingMessageID, message.messageID)
        span.set(.messagingRoutingKey, routingKey)
        if let correlation = message.correlationID { span.set(.messagingConversationID, correlation) }
    }
}

extension AttributeKey {
    package static let messagingSystem = AttributeKey("messaging.system")
    package static let messagingOperationName = AttributeKey("messaging.operation.name")
    package static let messagingOperationType = AttributeKey("messaging.operation.type")
    package static let messagingDestinationName = AttributeKey("messaging.destination.name")
    package static let messagingMessageID = AttributeKey("messaging.message.id")
    package static let messagingConversationID = AttributeKey("messaging.message.conversation_id")
    package static let messagingRoutingKey = AttributeKey("messaging.rabbitmq.destination.routing_key")
}
