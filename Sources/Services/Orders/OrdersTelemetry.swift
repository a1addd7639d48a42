internal import OrdersContracts
internal import ServiceKit
package import Telemetry
internal import Values

/// What orders tell of themselves.
package struct OrdersTelemetry: Sendable {
    package static let created = Counter("orders_created_total", help: "Orders accepted.")
    package static let statuses = Counter(
        "orders_status_total", help: "Orders that reached a status.", labels: ["status"])
    package static let delivery = Histogram(
        "order_delivery_duration_seconds", unit: .seconds, help: "From an order's acceptance to its delivery.",
        buckets: [1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400, 604_800])

    static let accepted = LogEvent("order.created", help: "An order was accepted.")
    static let changed = LogEvent("order.status_changed", help: "An order reached another status.")

    static let declarations = TelemetryDeclarations(
        metrics: [created.declaration, statuses.declaration, delivery.declaration], events: [accepted, changed],
        fields: [AttributeKey("labels.order_id")])

    private let logger: Logger
    private let created: CounterSeries
    private let statuses: [OrderStatus: CounterSeries]
    private let delivery: HistogramSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("orders")
        created = telemetry.metrics.counter(Self.created).series()
        let family = telemetry.metrics.counter(Self.statuses)
        statuses = Dictionary(
            uniqueKeysWithValues: OrderStatus.allCases.map { ($0, family.series($0.rawValue)) })
        delivery = telemetry.metrics.histogram(Self.delivery).series()
    }

    func noteAccepted(_ order: Order) {
        created.increment()
        statuses[.created]?.increment()
        logger.log(
            Self.accepted, "order accepted: \(order.items.count) items, total \(order.total)", fields(order))
    }

    func noteChanged(_ order: Order) {
        statuses[order.status]?.increment()
        if order.status == .delivered {
            delivery.record(order.updatedAt.seconds(since: order.createdAt), exemplar: TelemetryContext.current.span)
        }
        logger.log(
            Self.changed, "order is \(order.status.rawValue)\(order.reason.map { ": " + $0 } ?? "")", fields(order))
    }

    private func fields(_ order: Order) -> [Attribute] {
        [Attribute(AttributeKey("labels.order_id"), .string(order.id))]
    }
}
