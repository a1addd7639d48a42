internal import ServiceKit
package import Telemetry

/// What the warehouse tells of stock.
package struct WarehouseTelemetry: Sendable {
    package static let reservations = Counter(
        "stock_reservations_total", help: "Orders' reservations, by what became of them.", labels: ["outcome"])
    package static let movements = Counter(
        "stock_movements_total", help: "Changes of what is on hand, by their reason.", labels: ["reason"])
    package static let contradictions = Counter(
        "stock_contradictions_total", help: "Orders that completed although nothing was set aside for them.")

    static let moved = LogEvent("stock.reservation_changed", help: "An order's reservation changed its state.")
    static let levelChanged = LogEvent("stock.level_changed", help: "The stock of a product follows the catalog.")
    static let contradiction = LogEvent(
        "stock.contradiction", level: .error, help: "An order completed although nothing was set aside for it.")

    static let declarations = TelemetryDeclarations(
        metrics: [reservations.declaration, movements.declaration, contradictions.declaration],
        events: [moved, levelChanged, contradiction],
        fields: [AttributeKey("labels.product_id"), AttributeKey("labels.order_id")])

    private let logger: Logger
    private let reservations: [ReservationState: CounterSeries]
    private let forestalled: CounterSeries
    private let movements: [MovementReason: CounterSeries]
    private let contradictions: CounterSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("warehouse")
        let family = telemetry.metrics.counter(Self.reservations)
        reservations = Dictionary(
            uniqueKeysWithValues: ReservationState.allCases.map { ($0, family.series($0.rawValue.lowercased())) })
        forestalled = family.series("forestalled")
        let reasons = telemetry.metrics.counter(Self.movements)
        movements = Dictionary(
            uniqueKeysWithValues: MovementReason.allCases.map { ($0, reasons.series($0.rawValue)) })
        contradictions = telemetry.metrics.counter(Self.contradictions).series()
    }

    func noteState(_ state: ReservationState, orderID: String) {
        reservations[state]?.increment()
        note(Self.moved, "reservation is \(state.rawValue)", orderID: orderID)
    }

    /// An order that ended before it was heard of.
    func noteForestalled(orderID: String) {
        forestalled.increment()
        note(Self.moved, "the order ended before it was heard of: nothing will be set aside for it", orderID: orderID)
    }

    func noteContradiction(orderID: String) {
        contradictions.increment()
        note(Self.contradiction, "the order completed although nothing is set aside for it", orderID: orderID)
    }

    func noteMovement(_ reason: MovementReason) { movements[reason]?.increment() }

    func noteLevel(_ level: ProductStock, movement: Int) {
        let what = level.isDiscontinued ? "the product is discontinued" : "stock is \(level.onHand)"
        logger.log(
            Self.levelChanged, "\(what), a change of \(movement)",
            [Attribute(AttributeKey("labels.product_id"), .string(level.productID))])
    }

    private func note(_ event: LogEvent, _ message: String, orderID: String) {
        logger.log(event, message, [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }
}
