internal import ServiceKit
package import Telemetry

/// What notifications tell of themselves; addresses never.
package struct NotificationsTelemetry: Sendable {
    package static let deliveries = Counter(
        "notifications_deliveries_total",
        help: "Messages to customers and to the people on call, by what became of them.",
        labels: ["channel", "outcome"])
    package static let alerts = Counter(
        "notifications_alerts_total",
        help: "Changes of alerts that Alertmanager told, by what they say and whether they were new.",
        labels: ["status", "outcome"])
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

    static let alertReceived = LogEvent("alert.received", help: "Alertmanager told that an alert fires or is over.")

    static let sending = SpanDeclaration(
        "send notification", kind: .internal, help: "A message to a customer, in the trace of the event that caused it."
    )

    static let declarations = TelemetryDeclarations(
        metrics: [deliveries.declaration, alerts.declaration, pending.declaration, duration.declaration],
        spans: [sending], events: [sent, skipped, postponed, failed, alertReceived],
        fields: [deliveryID, reason, channel, alertName, alertStatus, alertJob])

    private static let deliveryID = AttributeKey("labels.delivery_id")
    private static let reason = AttributeKey("labels.reason")
    private static let channel = AttributeKey("labels.channel")
    private static let alertName = AttributeKey("labels.alert")
    private static let alertStatus = AttributeKey("labels.alert_status")
    private static let alertJob = AttributeKey("labels.alert_job")

    let pending: GaugeSeries
    private let logger: Logger
    private let deliveries: CounterFamily
    private let alerts: CounterFamily
    private let duration: HistogramFamily

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("notifications")
        pending = telemetry.metrics.gauge(Self.pending).series()
        deliveries = telemetry.metrics.counter(Self.deliveries)
        alerts = telemetry.metrics.counter(Self.alerts)
        duration = telemetry.metrics.histogram(Self.duration)
        for channel in Delivery.Channel.allCases {
            _ = duration.series(channel.rawValue)
            for outcome in ["sent", "skipped", "failed", "retried"] { _ = deliveries.series(channel.rawValue, outcome) }
        }
        for status in ["firing", "resolved"] { _ = alerts.series(status, "new") }
        _ = alerts.series("any", "duplicate")
    }

    func noteSent(_ delivery: Delivery, seconds: Double) {
        deliveries.series(delivery.channel.rawValue, "sent").increment()
        duration.series(delivery.channel.rawValue).record(seconds, exemplar: TelemetryContext.current.span)
        logger.log(Self.sent, "\(delivery.channel.rawValue) sent", Self.attributes(delivery))
    }

    func noteSkipped(_ delivery: Delivery) {
        deliveries.series(delivery.channel.rawValue, "skipped").increment()
        logger.log(Self.skipped, "the customer has no address", Self.attributes(delivery))
    }

    /// - Parameter what: from the other side's error; names nobody.
    func noteRetry(_ delivery: Delivery, _ problem: Delivery.Problem, _ what: String) {
        deliveries.series(delivery.channel.rawValue, "retried").increment()
        logger.log(
            Self.postponed, "\(delivery.channel.rawValue) will be tried again: \(what)",
            Self.attributes(delivery) + [Attribute(Self.reason, .string(problem.rawValue))])
    }

    func noteFailed(_ delivery: Delivery, _ problem: Delivery.Problem, _ what: String) {
        deliveries.series(delivery.channel.rawValue, "failed").increment()
        logger.log(
            Self.failed, "\(delivery.channel.rawValue) given up: \(what)",
            Self.attributes(delivery) + [Attribute(Self.reason, .string(problem.rawValue))])
    }

    /// - Parameter duplicates: how many of the message were known.
    func noteAlerts(_ new: [AlertMessage.Alert], duplicates: Int) {
        for alert in new {
            alerts.series(alert.status.rawValue, "new").increment()
            logger.log(
                Self.alertReceived, "\(alert.name) \(alert.status == .firing ? "fires" : "is over")",
                [
                    Attribute(Self.alertName, .string(alert.name)),
                    Attribute(Self.alertStatus, .string(alert.status.rawValue)),
                    Attribute(Self.alertJob, .string(alert.job)),
                ])
        }
        if duplicates > 0 { alerts.series("any", "duplicate").add(Double(duplicates)) }
    }

    private static func attributes(_ delivery: Delivery) -> [Attribute] {
        [
            Attribute(deliveryID, .string(delivery.id)), Attribute(channel, .string(delivery.channel.rawValue)),
        ]
    }
}
