internal import Cart
internal import Orders
internal import Payments
internal import Processor
internal import ServiceKit
internal import Telemetry
internal import Warehouse

/// The way of an order: from the cart to its outcome, how long each step takes, and what is stuck.
struct JourneyDashboard {
    static let uid = "vitrine-journey"

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · order journey", "Saga outcomes, time for each step, orders that are stuck.",
            tags: ["business"], rows: [now, outcomes, steps, stuck])
    }

    private let decided = ProcessorTelemetry.outcomes.series

    private var now: Dashboard.Row {
        let created = OrdersTelemetry.created.series.rate(.panel).sum(by: [])
        let completed = decided.where("outcome", .equals("completed")).rate(.panel).sum(by: [])
        return Dashboard.Row(
            "Now",
            [
                .stat("orders", .operations, created),
                .stat("completed", .share, completed / decided.rate(.panel).sum(by: []), thresholds: (0.8, 0.5)),
                .stat(
                    "decided within (95 %)", .seconds,
                    ProcessorTelemetry.duration.buckets.rate(.panel).sum(by: "le").quantile(0.95), thresholds: (5, 10),
                    alert: "SagaTimeouts"),
                .stat("undecided", .none, ProcessorTelemetry.open.series.now.sum(by: [])),
                .stat(
                    "oldest undecided", .seconds, ProcessorTelemetry.oldest.series.now.max(by: []),
                    thresholds: (30, 90), alert: "SagaStuck"),
                .stat(
                    "contradictions", .none,
                    PaymentsTelemetry.contradictions.series.increase(.hours(24)).sum(by: [])
                        + WarehouseTelemetry.contradictions.series.increase(.hours(24)).sum(by: []),
                    help: "Of the last 24 hours; must be zero.", thresholds: (1, 2), alert: "PaymentContradiction"),
            ])
    }

    private var outcomes: Dashboard.Row {
        Dashboard.Row(
            "Outcomes",
            [
                .stacked(
                    "sagas", .operations,
                    [.init(decided.rate(.panel).sum(by: "outcome", "reason"), "{{outcome}} {{reason}}")],
                    alert: "SagaTimeouts"),
                .stacked(
                    "checkouts", .operations,
                    [.init(CartTelemetry.checkouts.series.rate(.panel).sum(by: "outcome"), "{{outcome}}")],
                    alert: "CheckoutFailing"),
                .stacked(
                    "statuses that orders reach", .operations,
                    [.init(OrdersTelemetry.statuses.series.rate(.panel).sum(by: "status"), "{{status}}")]),
            ])
    }

    private var steps: Dashboard.Row {
        Dashboard.Row(
            "Steps",
            [
                .lines(
                    "decision", .seconds,
                    [
                        .init(
                            ProcessorTelemetry.duration.buckets.rate(.panel).sum(by: "outcome", "le").quantile(0.95),
                            "{{outcome}}", exemplars: true)
                    ], thresholds: (5, 10)),
                .stacked(
                    "reservations", .operations,
                    [.init(WarehouseTelemetry.reservations.series.rate(.panel).sum(by: "outcome"), "{{outcome}}")]),
                .stacked(
                    "payments", .operations,
                    [
                        .init(
                            PaymentsTelemetry.operations.series.rate(.panel).sum(by: "operation", "outcome"),
                            "{{operation}} {{outcome}}")
                    ], alert: "PaymentDeclinesHigh"),
                .lines(
                    "delivery, 95th percentile", .seconds,
                    [
                        .init(
                            OrdersTelemetry.delivery.buckets.rate(.panel).sum(by: "le").quantile(0.95), "95 %",
                            exemplars: true)
                    ]),
            ])
    }

    private var stuck: Dashboard.Row {
        Dashboard.Row(
            "Stuck",
            [
                .lines(
                    "undecided orders", .none, [.init(ProcessorTelemetry.open.series.now.sum(by: []), "undecided")],
                    alert: "SagaStuck"),
                .lines(
                    "oldest event in each outbox", .seconds,
                    [.init(MessagingTelemetry.oldest.series.now.max(by: "job"), "{{job}}")], thresholds: (10, 60),
                    alert: "OutboxStale"),
                .lines(
                    "dead letters", .operations,
                    [
                        .init(
                            MessagingTelemetry.deadLetters.series.rate(.panel).sum(by: "job", "event"),
                            "{{job}} {{event}}")
                    ],
                    alert: "DeadLetters"),
                .lines(
                    "broken invariants", .none,
                    [
                        .init(
                            InvariantTelemetry.violations.series.increase(.panel).sum(by: "job", "invariant"),
                            "{{job}} {{invariant}}")
                    ], thresholds: (1, 1), alert: "InvariantViolated"),
                .logs("how orders went", "event.action:(order.* OR saga.* OR payment.* OR stock.*)"),
            ])
    }
}
