internal import CartContracts
internal import ServiceKit
package import Telemetry
internal import Values

/// What the cart tells of itself.
package struct CartTelemetry: Sendable {
    /// What became of a checkout.
    enum Outcome: String, CaseIterable, Sendable {
        case success
        /// There was nothing to buy.
        case empty
        /// The order was not acceptable: another price, a product that is gone.
        case refused
        /// Something did not answer.
        case failure
    }

    package static let added = Counter("items_added_to_cart_total", help: "Lines added to carts.")
    package static let checkouts = Counter("checkouts_total", help: "Checkouts, by outcome.", labels: ["outcome"])
    package static let value = Histogram(
        "cart_value_cents", unit: .none, help: "Value of carts at checkout, in hundredths of the currency.",
        buckets: [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000])
    package static let items = Histogram(
        "cart_items_count", unit: .none, help: "Lines of carts at checkout.", buckets: [1, 2, 3, 5, 10, 20, 50, 100])
    static let itemChanged = LogEvent("cart.item_changed", help: "A line of a cart was added, changed or removed.")
    static let cleared = LogEvent("cart.cleared", help: "A cart was emptied by its owner.")
    static let refreshed = LogEvent(
        "cart.refreshed", help: "A cart was brought up to date with the catalog after its checkout was refused.")
    static let checkedOut = LogEvent("cart.checked_out", help: "A cart became an order.")

    static let declarations = TelemetryDeclarations(
        metrics: [added.declaration, checkouts.declaration, value.declaration, items.declaration],
        events: [itemChanged, cleared, refreshed, checkedOut],
        fields: [AttributeKey("labels.product_id"), AttributeKey("labels.order_id")])

    private let added: CounterSeries
    private let logger: Logger
    private let outcomes: [Outcome: CounterSeries]
    private let value: HistogramSeries
    private let items: HistogramSeries

    init(_ telemetry: Telemetry) {
        added = telemetry.metrics.counter(Self.added).series()
        let family = telemetry.metrics.counter(Self.checkouts)
        outcomes = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map { ($0, family.series($0.rawValue)) })
        value = telemetry.metrics.histogram(Self.value).series()
        items = telemetry.metrics.histogram(Self.items).series()
        logger = telemetry.logger.named("cart")
    }

    func noteAdded(_ line: CartLine) {
        added.increment()
        noteItem("added", productID: line.productID)
    }

    /// - Parameter change: `changed` or `removed`.
    func noteItem(_ change: StaticString, productID: String) {
        logger.log(
            Self.itemChanged, "item \(change)", [Attribute(AttributeKey("labels.product_id"), .string(productID))])
    }

    func noteCleared() { logger.log(Self.cleared, "cart emptied") }

    func noteRefreshed(lines: Int) { logger.log(Self.refreshed, "\(lines) lines follow the catalog") }

    func noteCheckout(_ cart: CartView, orderID: String) {
        note(.success)
        value.record(Double(cart.total.cents), exemplar: TelemetryContext.current.span)
        items.record(Double(cart.items.count), exemplar: TelemetryContext.current.span)
        logger.log(
            Self.checkedOut, "a cart of \(cart.items.count) items became an order",
            [Attribute(AttributeKey("labels.order_id"), .string(orderID))])
    }

    func note(_ outcome: Outcome) { outcomes[outcome]?.increment() }
}
