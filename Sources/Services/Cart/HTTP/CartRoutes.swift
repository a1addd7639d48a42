internal import CartContracts
internal import CatalogContracts
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import Security
internal import ServiceKit
internal import Values
internal import WarehouseContracts

/// The HTTP side of the cart.
struct CartRoutes: Sendable {
    let store: CartStore
    let services: ServiceClient
    let telemetry: CartTelemetry

    /// Attempts to change a cart that others keep changing.
    private static let maxAttempts = 5

    func declare(_ routes: RouteGroup) {
        routes.get("/cart/", .user, show).about("Your cart").answers(CartView.self)
        routes.delete("/cart/", .user, clear).about("Empties your cart").answers(Detail.self)
        routes.get("/cart/total", .user, total).about("What your cart costs").answers(Total.self)
        routes.post("/cart/items", .user, add).about("Puts a product into your cart")
            .takes(NewItem.self).answers(CartItemView.self, 200, "the line").refuses(404, 409)
        routes.put("/cart/items/{id}", .user, change).about("Sets how many, by line or product")
            .takes(Quantity.self).answers(CartItemView.self, 200, "the line").refuses(409)
        routes.delete("/cart/items/{id}", .user, remove).about("Takes a line out, by line or product")
            .answers(Detail.self).refuses(409)
        routes.post(
            "/cart/checkout", .user, CheckoutRoute(store: store, services: services, telemetry: telemetry).handle
        ).about("Makes an order of your cart").answers(OrderView.self, 200, "the order").refuses(400, 409)
        routes.get("/carts/", .admin, list).about("Everybody's carts").answers([UserCart].self)
    }

    private struct Detail: Codable {
        let detail: String
    }

    private struct Total: Codable {
        let total: Money
    }

    private struct UserCart: Codable {
        let user_id: String
        let items: [CartItemView]
        let total: Money
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
        try .json(Total(total: try await store.read(try request.caller().userID).view.total))
    }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        // Carts are of users, whichever company they are of: only the platform's own administrators see them all.
        guard try request.caller().companyID == nil else {
            throw HTTPError(.forbidden, "forbidden", "This is for administrators of the platform itself")
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
        guard ShoppingCart.quantities.contains(body.quantity) else { throw Self.badQuantity }
        guard let productID = Identifier.normalized(body.product_id) else { throw Self.unknownProduct }
        let product = try await product(productID, caller)
        let available = try await available(productID, caller)
        let line = try await changing(caller) { cart in
            let line: CartLine
            do throws(ShoppingCart.Refusal) {
                line = try cart.adding(body.quantity, of: product)
            } catch {
                throw Self.refusal(error)
            }
            try Self.check(line.quantity, available)
            return (.put(line), line)
        }
        telemetry.noteAdded(line)
        return try .json(line.view)
    }

    @Sendable private func change(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let id = try request.uuid("id")
        let body: Quantity = try await request.json()
        guard ShoppingCart.quantities.contains(body.quantity) else { throw Self.badQuantity }
        guard let known = try await store.read(caller.userID).line(id) else { throw Self.unknownItem }
        try Self.check(body.quantity, try await available(known.productID, caller))
        let line = try await changing(caller) { cart in
            guard var line = cart.line(known.productID) else { throw Self.unknownItem }
            line.quantity = body.quantity
            return (.put(line), line)
        }
        telemetry.noteItem("changed", productID: line.productID)
        return try .json(line.view)
    }

    @Sendable private func remove(_ request: Request) async throws -> HTTPResponse {
        let id = try request.uuid("id")
        let line = try await changing(try request.caller()) { cart in
            guard let line = cart.line(id) else { throw Self.unknownItem }
            return (.remove(productID: line.productID), line)
        }
        telemetry.noteItem("removed", productID: line.productID)
        return try .json(Detail(detail: "removed"))
    }

    @Sendable private func clear(_ request: Request) async throws -> HTTPResponse {
        try await store.clear(try request.caller().userID)
        telemetry.noteCleared()
        return try .json(Detail(detail: "cleared"))
    }

    /// Changes a cart as it stands; when somebody else was faster, as it stands then.
    private func changing(
        _ caller: Identity, _ change: (ShoppingCart) throws -> (ShoppingCart.Change, CartLine)
    ) async throws -> CartLine {
        for _ in 0..<Self.maxAttempts {
            let cart = try await store.read(caller.userID)
            let (change, line) = try change(cart)
            if try await store.apply([change], to: cart, of: caller.userID) { return line }
        }
        throw HTTPError(.conflict, "cart.busy", "the cart is being changed elsewhere: try again")
    }

    // MARK: What others know

    private func product(_ id: String, _ caller: Identity) async throws -> ProductView {
        do {
            return try await services.get(
                "catalog", "/api/products/\(id)", template: "/api/products/{product_id}", as: .user(caller))
        } catch let error as ServiceCallError where error.status == .notFound {
            throw Self.unknownProduct
        }
    }

    /// What the warehouse does not know is not there.
    private func available(_ productID: String, _ caller: Identity) async throws -> Int {
        do {
            let level: StockLevelView = try await services.get(
                "warehouse", "/internal/stock/\(productID)", template: "/internal/stock/{product_id}",
                as: .user(caller))
            return level.available
        } catch let error as ServiceCallError where error.status == .notFound {
            return 0
        }
    }

    // MARK: Refusals

    private static func check(_ quantity: Int, _ available: Int) throws {
        guard available >= quantity else {
            throw HTTPError(.badRequest, "stock.insufficient", "there are only \(available) in stock")
        }
    }

    private static func refusal(_ refusal: ShoppingCart.Refusal) -> HTTPError {
        switch refusal {
        case .full: HTTPError(.badRequest, "cart.full", "a cart has at most \(ShoppingCart.maxLines) lines")
        case .quantity: badQuantity
        }
    }

    private static let badQuantity = HTTPError.invalid(
        ["body", "quantity"],
        "must be from \(ShoppingCart.quantities.lowerBound) to \(ShoppingCart.quantities.upperBound)",
        type: "out_of_range")
    private static let unknownProduct = HTTPError(.notFound, "product.unknown", "there is no such product")
    private static let unknownItem = HTTPError(.notFound, "item.unknown", "there is no such item in the cart")
}
