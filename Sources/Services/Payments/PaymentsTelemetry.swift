internal import ServiceKit
package import Telemetry
internal import Values

/// What payments tell of themselves.
package struct PaymentsTelemetry: Sendable {
    package static let operations = Counter(
        "payment_operations_total", help: "Operations asked of the payment provider.",
        labels: ["operation", "outcome"])
    package static let amounts = Counter(
        "payment_amount_cents_total", help: "Money moved, in hundredths of the currency.", labels: ["operation"])
    package static let contradictions = Counter(
        "payment_contradictions_total", help: "Orders that completed although their payment was not held.")

    static let moved = LogEvent("payment.moved", help: "A payment changed its state.")
    static let contradiction = LogEvent(
        "payment.contradiction", level: .error, help: "An order completed although its payment was not held.")

    static let declarations = TelemetryDeclarations(
        metrics: [operations.declaration, amounts.declaration, contradictions.declaration],
        events: [moved, contradiction],
        fields: [AttributeKey("labels.order_id"), AttributeKey("labels.payment_id")])

    let logger: Logger
    private let operations: CounterFamily
    private let amounts: CounterFamily
    private let contradictions: CounterSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("payments")
        operations = telemetry.metrics.counter(Self.operations)
        amounts = telemetry.metrics.counter(Self.amounts)
        contradictions = telemetry.metrics.counter(Self.contradictions).series()
        for operation in PaymentState.Operation.allCases { _ = operations.series(operation.rawValue, "accepted") }
        for operation in [PaymentState.Operation.authorize, .capture] {
            _ = operations.series(operation.rawValue, "declined")
        }
    }

    func noteOperation(_ operation: PaymentState.Operation, isAccepted: Bool, payment: Payment) {
        operations.series(operation.rawValue, isAccepted ? "accepted" : "declined").increment()
        if isAccepted { amounts.series(operation.rawValue).add(Double(payment.amount.cents)) }
        logger.log(
            Self.moved, "payment is \(payment.state.rawValue)",
            [
                Attribute(AttributeKey("labels.order_id"), .string(payment.orderID)),
                Attribute(AttributeKey("labels.payment_id"), .string(payment.id)),
            ])
    }

    /// An order that ended before it was heard of.
    func noteForestalled(_ mark: Payment) {
        logger.log(
            Self.moved, "the order ended before it was heard of: it will not be charged",
            [Attribute(AttributeKey("labels.order_id"), .string(mark.orderID))])
    }

    func noteContradiction(orderID: String) {
        contradictions.increment()
        logger.log(
            Self.contradiction, "the order completed although its payment is not held",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }
}
