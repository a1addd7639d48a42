internal import CartContracts
internal import CatalogContracts
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import Security
internal import ServiceKit
internal import Values

/// Makes an order of a cart: at most one of each state of the cart, however often it is asked for.
struct CheckoutRoute: Sendable {
    let store: CartStore
    let services: ServiceClient
    let telemetry: CartTelemetry

    /// `POST /cart-api/cart/checkout`: answers the order.
    @Sendable func handle(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let cart = try await store.read(caller.userID)
        guard !cart.lines.isEmpty else {
            telemetry.note(.empty)
            throw HTTPError(.badRequest, "cart.empty", "the cart is empty")
        }
        let order = try await place(cart, caller)
        // What was put in meanwhile stays.
        _ = try await store.clear(cart, of: caller.userID)
        telemetry.noteCheckout(cart.view, orderID: order.id)
        return try .json(order)
    }

    private func place(_ cart: ShoppingCart, _ caller: Identity) async throws -> OrderView {
        let items = cart.lines.map {
            OrderItem(productID: $0.productID, name: $0.name, price: $0.price, quantity: $0.quantity)
        }
        do {
            // The key belongs to this very state of the cart: sent twice, it is one order.
            return try await services.post(
                "orders", "/order-api/orders/", template: "/order-api/orders/", as: .user(caller),
                body: CreateOrder(items: items, total: cart.view.total),
                idempotencyKey: "cart-\(caller.userID)-\(cart.version)")
        } catch let error as ServiceCallError where error.status == .notFound || error.status == .conflict {
            telemetry.note(.refused)
            try await refresh(cart, caller)
            throw HTTPError(
                .conflict, "cart.outdated", "prices or products have changed: look at the cart again, then check out")
        } catch {
            guard let refusal = (error as? ServiceCallError)?.asClientError else {
                telemetry.note(.failure)
                throw error
            }
            telemetry.note(.refused)
            throw refusal
        }
    }

    /// Brings the cart up to date with the catalog, so that the shopper sees what would be bought now.
    private func refresh(_ cart: ShoppingCart, _ caller: Identity) async throws {
        let ids = cart.lines.map(\.productID).joined(separator: ",")
        let answer: ProductPrices = try await services.get(
            "catalog", "/internal/products?ids=\(ids)", template: "/internal/products", as: .user(caller))
        let changes = cart.changes(to: answer.items)
        // A cart that was changed meanwhile is left to its owner.
        guard !changes.isEmpty, try await store.apply(changes, to: cart, of: caller.userID) else { return }
        telemetry.noteRefreshed(lines: changes.count)
    }
}
