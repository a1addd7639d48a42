internal import ServiceKit
package import Telemetry

/// What notifications tell of themselves; addresses never.
package struct NotificationsTelemetry: Sendable {
    package static let deliveries = Counter(
        "notifications_deliveries_total", help: "Messages to customers, by what became of them.",
        labels: ["channel", "outcome"])
    package static let pending = Gauge("notifications_pending", help: "Messages that wait to be sent.")
    package static let duration = Histogram(
        "notifications_delivery_duration_seconds", unit: .seconds,
        help: "From the event to the message that was sent.", labels: ["channel"],
        buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 3_600])

    static let sent = LogEvent("notification.sent", help: "A message was sent.")
    static let skipped = LogEvent("notification.skipped", help: "A customer could not be told: there is no address.")
    static let postponed = LogEvent(
        "notification.postponed", level: .warn, help: "A message could not be sent for now and will be tried again.")
    static let failed = LogEvent("notification.failed", level: .error, help: "A message was given up.")

    static let sending = SpanDeclaration(
        "send notification", kind: .internal, help: "A message to a customer, in the trace of the event that caused it."
    )

    static let declarations = TelemetryDeclarations(
        metrics: [deliveries.declaration, pending.declaration, duration.declaration],
        spans: [sending], events: [sent, skipped, postponed, failed],
        fields: [AttributeKey("labels.delivery_id"), AttributeKey("labels.reason")])

    let pending: GaugeSeries
    private let logger: Logger
    private let deliveries: CounterFamily
    private let duration: HistogramSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("notifications")
        pending = telemetry.metrics.gauge(Self.pending).series()
        deliveries = telemetry.metrics.counter(Self.deliveries)
        duration = telemetry.metrics.histogram(Self.duration).series("email")
        for outcome in ["sent", "skipped", "failed", "retried"] { _ = deliveries.series("email", outcome) }
    }

    func noteSent(_ id: String, seconds: Double) {
        deliveries.series("email", "sent").increment()
        duration.record(seconds, exemplar: TelemetryContext.current.span)
        logger.log(Self.sent, "e-mail sent", [Self.delivery(id)])
    }

    func noteSkipped(_ id: String) {
        deliveries.series("email", "skipped").increment()
        logger.log(Self.skipped, "the customer has no address", [Self.delivery(id)])
    }

    /// - Parameter what: from the mail server's or the service's error; names nobody.
    func noteRetry(_ id: String, _ problem: Delivery.Problem, _ what: String) {
        deliveries.series("email", "retried").increment()
        logger.log(Self.postponed, "e-mail will be tried again: \(what)", [Self.delivery(id), Self.reason(problem)])
    }

    func noteFailed(_ id: String, _ problem: Delivery.Problem, _ what: String) {
        deliveries.series("email", "failed").increment()
        logger.log(Self.failed, "e-mail given up: \(what)", [Self.delivery(id), Self.reason(problem)])
    }

    private static func delivery(_ id: String) -> Attribute {
        Attribute(AttributeKey("labels.delivery_id"), .string(id))
    }

    private static func reason(_ problem: Delivery.Problem) -> Attribute {
        Attribute(AttributeKey("labels.reason"), .string(problem.rawValue))
    }
}
