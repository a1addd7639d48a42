internal import Caching
internal import Cart
internal import Catalog
internal import Notifications
internal import Orders
internal import Payments
internal import Telemetry
internal import Users
internal import Warehouse

/// What the business asks: orders, revenue, carts, conversion, stock, people, letters.
struct BusinessDashboard {
    static let uid = "vitrine-business"

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · business", "Orders, revenue, carts, conversion, stock, users, messages.",
            tags: ["business"], rows: [today, shop, goods, people])
    }

    private let captured = PaymentsTelemetry.amounts.series.where("operation", .equals("capture"))
    private let refunded = PaymentsTelemetry.amounts.series.where("operation", .equals("refund"))

    private var today: Dashboard.Row {
        let day = Window.hours(24)
        let checkouts = CartTelemetry.checkouts.series.where("outcome", .equals("success")).increase(day).sum(by: [])
        return Dashboard.Row(
            "Last 24 hours",
            [
                .stat("orders", .none, OrdersTelemetry.created.series.increase(day).sum(by: [])),
                .stat("revenue", .hundredths, captured.increase(day).sum(by: []) / 100),
                .stat(
                    "conversion", .share, checkouts / CartTelemetry.added.series.increase(day).sum(by: []),
                    help: "Checkouts for each line that was put into a cart."),
                .stat(
                    "average cart", .hundredths,
                    CartTelemetry.value.sum.increase(day).sum(by: [])
                        / CartTelemetry.value.count.increase(day).sum(by: [])
                        / 100),
                .stat("new users", .none, UsersTelemetry.registered.series.increase(day).sum(by: [])),
                .stat("users now", .none, UsersTelemetry.active.series.now.max(by: [])),
            ])
    }

    private var shop: Dashboard.Row {
        Dashboard.Row(
            "Shop",
            [
                .lines(
                    "orders", .operations, [.init(OrdersTelemetry.created.series.rate(.panel).sum(by: []), "orders")]),
                .lines(
                    "money", .hundredths,
                    [
                        .init(captured.increase(.hours(1)).sum(by: []) / 100, "captured in an hour"),
                        .init(refunded.increase(.hours(1)).sum(by: []) / 100, "refunded in an hour"),
                    ]),
                .stacked(
                    "checkouts", .operations,
                    [.init(CartTelemetry.checkouts.series.rate(.panel).sum(by: "outcome"), "{{outcome}}")],
                    alert: "CheckoutFailing"),
                .lines(
                    "lines put into carts", .operations,
                    [.init(CartTelemetry.added.series.rate(.panel).sum(by: []), "lines")]),
                .lines(
                    "value of carts", .hundredths,
                    [
                        .init(CartTelemetry.value.buckets.rate(.panel).sum(by: "le").quantile(0.5) / 100, "half"),
                        .init(CartTelemetry.value.buckets.rate(.panel).sum(by: "le").quantile(0.95) / 100, "95 %"),
                    ]),
                .lines(
                    "lines of carts", .none,
                    [
                        .init(CartTelemetry.items.buckets.rate(.panel).sum(by: "le").quantile(0.5), "half"),
                        .init(CartTelemetry.items.buckets.rate(.panel).sum(by: "le").quantile(0.95), "95 %"),
                    ]),
            ])
    }

    private var goods: Dashboard.Row {
        Dashboard.Row(
            "Goods",
            [
                .stacked(
                    "movements of stock", .operations,
                    [.init(WarehouseTelemetry.movements.series.rate(.panel).sum(by: "reason"), "{{reason}}")]),
                .stacked(
                    "changes of products", .operations,
                    [.init(CatalogTelemetry.changes.series.rate(.panel).sum(by: "change"), "{{change}}")]),
                .stacked(
                    "lists of products", .operations,
                    [
                        .init(
                            CacheTelemetry.requests.series.where("cache", .equals("catalog.lists")).rate(.panel)
                                .sum(by: "outcome"), "{{outcome}}")
                    ]),
            ])
    }

    private var people: Dashboard.Row {
        Dashboard.Row(
            "People",
            [
                .stacked(
                    "log-ins", .operations,
                    [.init(UsersTelemetry.attempts.series.rate(.panel).sum(by: "status"), "{{status}}")],
                    alert: "AuthFailuresHigh"),
                .lines(
                    "registrations and tokens", .operations,
                    [
                        .init(UsersTelemetry.registered.series.rate(.panel).sum(by: []), "registrations"),
                        .init(UsersTelemetry.issued.series.rate(.panel).sum(by: []), "tokens"),
                    ]),
                .stacked(
                    "messages to customers", .operations,
                    [
                        .init(
                            NotificationsTelemetry.deliveries.series.rate(.panel).sum(by: "channel", "outcome"),
                            "{{channel}} {{outcome}}")
                    ], alert: "NotificationsFailing"),
            ])
    }
}
