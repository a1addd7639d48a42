internal import CartContracts
internal import HTTPCodec
internal import OrdersContracts
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Values

/// What a user has in the cart and has ordered: asked of the services that know, as the user.
struct Purchases: Sendable {
    let services: ServiceClient

    /// What a page shows beside the user.
    struct Summary: Sendable {
        /// Nil when the cart does not answer.
        var cartTotal: Money?
        var orders: [OrderSummary]
        /// Services that did not answer.
        var unavailable: [String]
    }

    /// A page waits no longer for what it can do without.
    private static let summaryTimeoutMilliseconds: UInt64 = 2_000

    /// The cart's total and the orders, as far as they can be had in a moment.
    func summary(of caller: Identity) async -> Summary {
        let context = TelemetryContext.current.expiring(afterMilliseconds: Self.summaryTimeoutMilliseconds)
        return await TelemetryContext.$current.withValue(context) {
            async let cart = try? cart(of: caller)
            async let orders = try? orders(of: caller)
            let (cartNow, ordersNow) = await (cart, orders)
            var summary = Summary(cartTotal: cartNow?.total, orders: ordersNow ?? [], unavailable: [])
            if cartNow == nil { summary.unavailable.append("cart") }
            if ordersNow == nil { summary.unavailable.append("orders") }
            return summary
        }
    }

    func cart(of caller: Identity) async throws -> CartView {
        try await services.get("cart", "/cart-api/cart/", template: "/cart-api/cart/", as: .user(caller))
    }

    /// The caller's own orders; an administrator sees those of others elsewhere.
    func orders(of caller: Identity) async throws -> [OrderSummary] {
        let orders: [OrderView] = try await services.get(
            "orders", "/order-api/orders/", template: "/order-api/orders/", as: .user(caller))
        return orders.filter { $0.userID == caller.userID }.map(OrderSummary.init)
    }

    /// Orders what is in the cart.
    /// - Throws: `HTTPError` with the cart's own refusal: an empty cart, not enough in stock.
    func checkOut(_ caller: Identity, idempotencyKey: String?) async throws -> OrderView {
        do {
            return try await services.post(
                "cart", "/cart-api/cart/checkout", template: "/cart-api/cart/checkout", as: .user(caller),
                body: [String: String](), idempotencyKey: idempotencyKey)
        } catch let error as ServiceCallError {
            // An empty cart is the shopper's to fill, not ours to mend.
            if let refusal = error.asClientError { throw refusal }
            throw error
        }
    }
}

extension TelemetryContext {
    /// The same context with a deadline that is no later than so many milliseconds from now.
    fileprivate func expiring(afterMilliseconds milliseconds: UInt64) -> TelemetryContext {
        let end = TelemetryClock.system.monotonicNanoseconds() + milliseconds * 1_000_000
        return TelemetryContext(
            span: span, requestID: requestID, baggage: baggage, deadline: min(end, deadline ?? .max))
    }
}
