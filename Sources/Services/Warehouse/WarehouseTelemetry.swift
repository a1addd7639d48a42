internal import ServiceKit
internal import Telemetry

/// What the warehouse tells of stock.
struct WarehouseTelemetry: Sendable {
    static let reservations = Counter(
        "stock_reservations_total", help: "Orders' reservations, by what became of them.", labels: ["outcome"])
    static let contradictions = Counter(
        "stock_contradictions_total", help: "Orders that completed although nothing was set aside for them.")

    static let moved = LogEvent("stock.reservation_changed", help: "An order's reservation changed its state.")
    static let contradiction = LogEvent(
        "stock.contradiction", level: .error, help: "An order completed although nothing was set aside for it.")

    static let declarations = TelemetryDeclarations(
        metrics: [reservations.declaration, contradictions.declaration], events: [moved, contradiction])

    private let logger: Logger
    private let reservations: [ReservationState: CounterSeries]
    private let contradictions: CounterSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("warehouse")
        let family = telemetry.metrics.counter(Self.reservations)
        reservations = Dictionary(
            uniqueKeysWithValues: ReservationState.allCases.map { ($0, family.series($0.rawValue.lowercased())) })
        contradictions = telemetry.metrics.counter(Self.contradictions).series()
    }

    func noteState(_ state: ReservationState, orderID: String) {
        reservations[state]?.increment()
        logger.log(
            Self.moved, "reservation is \(state.rawValue)",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }

    func noteContradiction(orderID: String) {
        contradictions.increment()
        logger.log(
            Self.contradiction, "the order completed although nothing is set aside for it",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }
}
