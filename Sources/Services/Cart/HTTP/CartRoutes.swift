internal import CartContracts
internal import CatalogContracts
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Values
internal import WarehouseContracts

/// The HTTP side of the cart.
struct CartRoutes: Sendable {
    let store: CartStore
    let services: ServiceClient
    let telemetry: CartTelemetry

    private static let maxQuantity = 1_000

    func declare(_ routes: RouteGroup) {
        routes.get("/cart/", .user, show)
        routes.delete("/cart/", .user, clear)
        routes.get("/cart/total", .user, total)
        routes.post("/cart/items", .user, add)
        routes.put("/cart/items/{id}", .user, change)
        routes.delete("/cart/items/{id}", .user, remove)
        routes.post("/cart/checkout", .user, checkOut)
        routes.get("/carts/", .admin, list)
    }

    private struct NewItem: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["product_id", "quantity"]
        let product_id: String
        let quantity: Int
    }

    private struct Quantity: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["quantity"]
        let quantity: Int
    }

    // MARK: Reading

    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        try .json(try await store.read(try request.caller().userID).view)
    }

    @Sendable private func total(_ request: Request) async throws -> HTTPResponse {
        try .json(["total": try await store.read(try request.caller().userID).view.total])
    }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        struct UserCart: Encodable {
            let user_id: String
            let items: [CartItemView]
            let total: Money
        }
        var carts: [UserCart] = []
        for user in try await store.users() {
            let cart = try await store.read(user).view
            if !cart.items.isEmpty { carts.append(UserCart(user_id: user, items: cart.items, total: cart.total)) }
        }
        return try .json(carts)
    }

    // MARK: Changing

    @Sendable private func add(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let body: NewItem = try await request.json()
        try check(body.quantity)
        guard let productID = Identifier.normalized(body.product_id) else { throw Self.unknownProduct }
        let cart = try await store.read(caller.userID)
        let known = cart.lines.first { $0.productID == productID }
        guard known != nil || cart.lines.count < CartStore.maxLines else {
            throw HTTPError(.badRequest, "cart.full", "a cart has at most \(CartStore.maxLines) lines")
        }
        let quantity = body.quantity + (known?.quantity ?? 0)
        try check(quantity)
        let product = try await product(productID, caller)
        try await checkStock(productID, quantity, caller)
        let line = CartLine(
            id: known?.id ?? Identifier.make(), productID: productID, name: product.name, price: product.price,
            quantity: quantity)
        try await store.put(line, of: caller.userID)
        telemetry.added.increment()
        return try .json(line.view)
    }

    @Sendable private func change(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let body: Quantity = try await request.json()
        try check(body.quantity)
        var line = try await line(request, caller)
        try await checkStock(line.productID, body.quantity, caller)
        line.quantity = body.quantity
        try await store.put(line, of: caller.userID)
        return try .json(line.view)
    }

    @Sendable private func remove(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let line = try await line(request, caller)
        try await store.remove(line.productID, of: caller.userID)
        return try .json(["detail": "removed"])
    }

    @Sendable private func clear(_ request: Request) async throws -> HTTPResponse {
        try await store.clear(try request.caller().userID)
        return try .json(["detail": "cleared"])
    }

    @Sendable private func checkOut(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let cart = try await store.read(caller.userID)
        guard !cart.lines.isEmpty else { throw HTTPError(.badRequest, "cart.empty", "the cart is empty") }
        let items = cart.lines.map {
            OrderItem(productID: $0.productID, name: $0.name, price: $0.price, quantity: $0.quantity)
        }
        let order: OrderView
        do {
            // The key belongs to this very state of the cart: sent twice, it is one order.
            order = try await services.post(
                "orders", "/order-api/orders/", template: "/order-api/orders/", as: .user(caller),
                body: CreateOrder(items: items, total: cart.view.total),
                idempotencyKey: "cart-\(caller.userID)-\(cart.version)")
        } catch {
            telemetry.noteFailure()
            throw error
        }
        // What was put in meanwhile stays.
        _ = try await store.clear(caller.userID, ifVersion: cart.version)
        telemetry.noteCheckout(cart.view, orderID: order.id)
        return try .json(order)
    }

    // MARK: Parts

    private func check(_ quantity: Int) throws {
        guard (1...Self.maxQuantity).contains(quantity) else {
            throw HTTPError(
                .unprocessableContent, "quantity.invalid", "quantity must be from 1 to \(Self.maxQuantity)",
                fields: [.init(["body", "quantity"], "must be from 1 to \(Self.maxQuantity)", type: "out_of_range")])
        }
    }

    /// By the line's own id or its product's.
    private func line(_ request: Request, _ caller: Identity) async throws -> CartLine {
        let id = try request.uuid("id")
        guard let line = try await store.read(caller.userID).lines.first(where: { $0.id == id || $0.productID == id })
        else { throw HTTPError(.notFound, "item.unknown", "there is no such item in the cart") }
        return line
    }

    private func product(_ id: String, _ caller: Identity) async throws -> ProductView {
        do {
            return try await services.get(
                "catalog", "/api/products/\(id)", template: "/api/products/{product_id}", as: .user(caller))
        } catch let error as ServiceCallError where error.status == .notFound {
            throw Self.unknownProduct
        }
    }

    private func checkStock(_ productID: String, _ quantity: Int, _ caller: Identity) async throws {
        let available: Int
        do {
            let level: StockLevelView = try await services.get(
                "warehouse", "/internal/stock/\(productID)", template: "/internal/stock/{product_id}",
                as: .user(caller))
            available = level.available
        } catch let error as ServiceCallError where error.status == .notFound {
            available = 0
        }
        guard available >= quantity else {
            throw HTTPError(.badRequest, "stock.insufficient", "there are only \(available) in stock")
        }
    }

    private static let unknownProduct = HTTPError(.notFound, "product.unknown", "there is no such product")
}
