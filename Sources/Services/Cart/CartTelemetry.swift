internal import CartContracts
internal import ServiceKit
internal import Telemetry
internal import Values

/// What the cart tells of itself.
struct CartTelemetry: Sendable {
    static let added = Counter("items_added_to_cart_total", help: "Lines added to carts.")
    static let checkouts = Counter("checkouts_total", help: "Checkouts, by outcome.", labels: ["outcome"])
    static let value = Histogram(
        "cart_value_cents", unit: .none, help: "Value of carts at checkout, in hundredths of the currency.",
        buckets: [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000])
    static let items = Histogram(
        "cart_items_count", unit: .none, help: "Lines of carts at checkout.", buckets: [1, 2, 3, 5, 10, 20, 50, 100])
    static let checkedOut = LogEvent("cart.checked_out", help: "A cart became an order.")

    static let declarations = TelemetryDeclarations(
        metrics: [added.declaration, checkouts.declaration, value.declaration, items.declaration],
        events: [checkedOut])

    let added: CounterSeries
    private let logger: Logger
    private let successes: CounterSeries
    private let failures: CounterSeries
    private let value: HistogramSeries
    private let items: HistogramSeries

    init(_ telemetry: Telemetry) {
        added = telemetry.metrics.counter(Self.added).series()
        let family = telemetry.metrics.counter(Self.checkouts)
        successes = family.series("success")
        failures = family.series("failure")
        value = telemetry.metrics.histogram(Self.value).series()
        items = telemetry.metrics.histogram(Self.items).series()
        logger = telemetry.logger.named("cart")
    }

    func noteCheckout(_ cart: CartView, orderID: String) {
        successes.increment()
        value.record(Double(cart.total.cents), exemplar: TelemetryContext.current.span)
        items.record(Double(cart.items.count), exemplar: TelemetryContext.current.span)
        logger.log(
            Self.checkedOut, "a cart of \(cart.items.count) items became an order",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }

    func noteFailure() { failures.increment() }
}
