internal import ServiceKit
package import Telemetry

/// What the processor tells of sagas.
package struct ProcessorTelemetry: Sendable {
    package static let outcomes = Counter(
        "saga_outcomes_total", help: "Orders decided, by outcome and reason.", labels: ["outcome", "reason"])
    package static let duration = Histogram(
        "saga_duration_seconds", unit: .seconds, help: "From the first fact about an order to its decision.",
        labels: ["outcome"], buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120])
    package static let open = Gauge("sagas_open", help: "Orders that are not decided yet.")
    package static let oldest = Gauge(
        "saga_oldest_open_age_seconds", unit: .seconds, help: "Age of the oldest order that is not decided yet.")

    static let decided = LogEvent("saga.decided", help: "An order was decided.")
    static let ignored = LogEvent(
        "saga.fact_ignored", level: .debug, help: "A fact arrived about an order that was decided already.")

    static let declarations = TelemetryDeclarations(
        metrics: [outcomes.declaration, duration.declaration, open.declaration, oldest.declaration],
        events: [decided, ignored],
        fields: [AttributeKey("labels.order_id"), AttributeKey("event.outcome")])

    let logger: Logger
    let open: GaugeSeries
    let oldest: GaugeSeries
    private let outcomes: CounterFamily
    private let durations: HistogramFamily

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("processor.saga")
        open = telemetry.metrics.gauge(Self.open).series()
        oldest = telemetry.metrics.gauge(Self.oldest).series()
        outcomes = telemetry.metrics.counter(Self.outcomes)
        durations = telemetry.metrics.histogram(Self.duration)
        _ = outcomes.series("completed", "")
        for reason in ["out_of_stock", "payment_declined", "cancelled", "timed_out"] {
            _ = outcomes.series("failed", reason)
        }
    }

    func noteIgnored(_ fact: OrderSaga.Fact, orderID: String) {
        logger.log(
            Self.ignored, "\(fact.name) changes nothing: the order is decided",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }

    func noteDecision(outcome: String, reason: String, seconds: Double, orderID: String) {
        outcomes.series(outcome, reason).increment()
        durations.series(outcome).record(seconds, exemplar: TelemetryContext.current.span)
        logger.log(
            Self.decided, "order \(outcome)\(reason.isEmpty ? "" : ": " + reason)",
            [
                Attribute(AttributeKey("labels.order_id"), .string(orderID)),
                Attribute(AttributeKey("event.outcome"), .string(outcome == "completed" ? "success" : "failure")),
            ])
    }
}
