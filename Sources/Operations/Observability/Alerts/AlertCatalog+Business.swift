internal import Cart
internal import Notifications
internal import Payments
internal import Processor
internal import ServiceKit
internal import Telemetry
internal import Users
internal import Warehouse

/// Alerts on what the business promises: orders are decided, money and stock agree, people can log in and are told.
extension AlertCatalog {
    var orderAlerts: [AlertRule] { journey + agreement }

    private var journey: [AlertRule] {
        let checkouts = CartTelemetry.checkouts.series.where("outcome", .any(of: ["success", "failure"]))
        let outcomes = ProcessorTelemetry.outcomes.series
        let authorizations = PaymentsTelemetry.operations.series.where("operation", .equals("authorize"))
        return [
            AlertRule(
                "CheckoutFailing", .page, .shop, .critical,
                when: .share(
                    of: CartTelemetry.checkouts.series.where("outcome", .equals("failure")), in: checkouts, by: ["job"],
                    above: 0.05, over: time.minutes(5), atLeast: 20),
                for: time.minutes(1), as: .percent, summary: "more than 5 % of checkouts fail",
                impact: "Shoppers cannot buy what is in their carts.", dashboard: JourneyDashboard.uid),
            AlertRule(
                "SagaStuck", .page, .shop, .critical,
                when: .highest(ProcessorTelemetry.oldest.series, by: ["job"], above: 90), for: time.minutes(1),
                as: .seconds, summary: "an order has been undecided for more than 90 seconds",
                impact:
                    "A shopper has paid attention, perhaps money, and hears nothing; the time-out of 60 s does not work.",
                dashboard: JourneyDashboard.uid),
            AlertRule(
                "SagaTimeouts", .page, .shop, .critical,
                when: .share(
                    of: outcomes.where("reason", .equals("timed_out")), in: outcomes, by: ["job"], above: 0.05,
                    over: time.minutes(10), atLeast: 20),
                for: time.minutes(1), as: .percent,
                summary: "more than 5 % of orders fail because nobody answered in time",
                impact: "Orders are cancelled although stock and money were there.", dashboard: JourneyDashboard.uid),
            AlertRule(
                "PaymentDeclinesHigh", .ticket, .payments, .high,
                when: .share(
                    of: authorizations.where("outcome", .equals("declined")), in: authorizations, by: ["job"],
                    above: 0.3, over: time.minutes(15), atLeast: 20),
                for: time.minutes(5), as: .percent, summary: "more than 30 % of payments are declined",
                impact: "Shoppers with money are sent away, or somebody tries stolen cards.",
                dashboard: JourneyDashboard.uid),
        ]
    }

    private var agreement: [AlertRule] {
        [
            AlertRule(
                "InvariantViolated", .page, .shop, .critical,
                when: .happened(
                    InvariantTelemetry.violations.series, by: ["job", "invariant"], over: time.minutes(5)),
                for: time.minutes(0), as: .count,
                summary: "data of {{ $labels.job }} breaks invariant {{ $labels.invariant }}",
                impact:
                    "Orders, money or stock no longer agree: what shoppers are told or charged may be wrong, and it does not heal by itself.",
                dashboard: JourneyDashboard.uid),
            AlertRule(
                "PaymentContradiction", .page, .payments, .critical,
                when: .happened(PaymentsTelemetry.contradictions.series, by: ["job"], over: time.minutes(15)),
                for: time.minutes(0), as: .count, summary: "an order completed although its payment was not held",
                impact: "Goods leave without money (invariant I2).", dashboard: JourneyDashboard.uid),
            AlertRule(
                "StockContradiction", .page, .shop, .critical,
                when: .happened(WarehouseTelemetry.contradictions.series, by: ["job"], over: time.minutes(15)),
                for: time.minutes(0), as: .count, summary: "an order completed although nothing was set aside for it",
                impact: "Something was sold that may not be there (invariant I3).", dashboard: JourneyDashboard.uid),
        ]
    }

    var identityAlerts: [AlertRule] {
        let attempts = UsersTelemetry.attempts.series
        return [
            AlertRule(
                "AuthFailuresHigh", .page, .identity, .high,
                when: .share(
                    of: attempts.where("status", .not("success")), in: attempts, by: ["job"], above: 0.5,
                    over: time.minutes(5), atLeast: 20),
                for: time.minutes(1), as: .percent, summary: "more than half of all attempts to log in fail",
                impact: "Somebody guesses passwords, or nobody can log in.", dashboard: BusinessDashboard.uid),
            AlertRule(
                "RefreshTokenReuse", .ticket, .identity, .high,
                when: .happened(attempts.where("status", .equals("reused")), by: ["job"], over: time.minutes(15)),
                for: time.minutes(0), as: .count, summary: "a refresh token was used twice",
                impact: "A token may have been stolen; its family was revoked and the user has to log in again.",
                dashboard: BusinessDashboard.uid),
        ]
    }

    var notificationAlerts: [AlertRule] {
        let deliveries = NotificationsTelemetry.deliveries.series
        return [
            AlertRule(
                "NotificationsBacklog", .ticket, .shop, .normal,
                when: .highest(NotificationsTelemetry.pending.series, by: ["job"], above: 1_000), for: time.minutes(5),
                as: .count, summary: "more than 1000 messages to customers wait to be sent",
                impact: "Customers hear late how their orders go.", dashboard: BusinessDashboard.uid),
            AlertRule(
                "NotificationsFailing", .ticket, .shop, .high,
                when: .share(
                    of: deliveries.where("outcome", .equals("failed")),
                    in: deliveries.where("outcome", .any(of: ["sent", "failed"])), by: ["job", "channel"], above: 0.1,
                    over: time.minutes(15), atLeast: 10),
                for: time.minutes(5), as: .percent,
                summary: "more than 10 % of {{ $labels.channel }} messages are given up",
                impact: "Customers are never told how their orders went.", dashboard: BusinessDashboard.uid),
        ]
    }
}
