internal import CartContracts
internal import CatalogContracts
internal import OrdersContracts
internal import PaymentsContracts
internal import Shopping
internal import Values
internal import WarehouseContracts

/// A shopper's afternoon, told step by step: an order that completes, one that is declined, one that is out of stock.
package struct DemoStory: Sendable {
    private let gateway: String
    private let adminName: String
    private let adminPassword: String
    private let endpoints: [String: String]
    private let say: @Sendable (String) -> Void

    private static let waitMilliseconds = 60_000
    private static let pollMilliseconds = 200

    /// - Parameters: endpoints: where the platform's parts are. - say: prints one line.
    package init(
        gateway: String, adminName: String, adminPassword: String, endpoints: [String: String],
        say: @escaping @Sendable (String) -> Void
    ) {
        self.gateway = gateway
        self.adminName = adminName
        self.adminPassword = adminPassword
        self.endpoints = endpoints
        self.say = say
    }

    /// Tells the story.
    /// - Returns: whether everything went as it should.
    package func run() async throws -> Bool {
        let client = ShopClient(gateway: gateway)
        do {
            let isRight = try await tell(client)
            await client.close()
            return isRight
        } catch {
            await client.close()
            throw error
        }
    }

    private func tell(_ client: ShopClient) async throws -> Bool {
        let admin = try await client.signIn(adminName, adminPassword)
        let shopper = try await register(client)
        var isRight = try await completedOrder(client, shopper, admin)
        isRight = try await declinedOrder(client, shopper, admin) && isRight
        isRight = try await rejectedOrder(client, shopper, admin) && isRight
        whereToLook()
        say(isRight ? "\nEverything is as it should be." : "\nSomething is NOT as it should be: see above.")
        return isRight
    }

    // MARK: Chapters

    private func register(_ client: ShopClient) async throws -> String {
        let name = "shopper-\(Identifier.make().prefix(8))@example.com"
        let password = "Shopper1" + Identifier.make().prefix(8)
        let answer = try await client.register(name, password: password, name: "Sam Shopper")
        guard answer.status == 201 else { throw ShopError("registering failed with status \(answer.status)") }
        say("1. A shopper registers                          trace \(answer.traceID)")
        return try await client.signIn(name, password)
    }

    private func completedOrder(_ client: ShopClient, _ shopper: String, _ admin: String) async throws -> Bool {
        let page: ProductPage = try await client.get(
            "/api/products/?category=Tea&limit=3&sort_by=price", token: shopper
        ).decode()
        guard page.items.count >= 2 else { throw ShopError("the demo catalog is not loaded") }
        say("2. browses Tea: \(page.total) products, cheapest \(page.items[0].name) at \(page.items[0].price)")
        let before = try await stock(client, admin, page.items[0].productID)
        for (product, quantity) in zip(page.items, [2, 1]) {
            _ = try await add(client, shopper, product.productID, quantity)
        }
        let cart: CartView = try await client.get("/cart-api/cart/", token: shopper).decode()
        say("3. fills the cart: \(cart.items.count) items, total \(cart.total)")
        let answer = try await client.post("/cart-api/cart/checkout", token: shopper)
        guard answer.status == 200 else { throw ShopError("the checkout failed with status \(answer.status)") }
        let order: OrderView = try answer.decode()
        say("4. checks out: order \(order.id)  trace \(answer.traceID)")
        let end = try await follow(client, shopper, order.id)
        let after = try await stock(client, admin, page.items[0].productID)
        let payment = try await payment(client, admin, order.id)
        say(
            "   \(end.rawValue); payment \(payment.status) \(payment.amount); "
                + "stock \(before.onHand) → \(after.onHand), reserved \(after.reserved)")
        return check(
            end == .delivered && payment.status == "CAPTURED" && payment.amount == order.total
                && after.onHand == before.onHand - 2 && after.reserved == before.reserved)
    }

    private func declinedOrder(_ client: ShopClient, _ shopper: String, _ admin: String) async throws -> Bool {
        let product = try await find(client, shopper, DemoCatalog.luxury)
        let before = try await stock(client, admin, product.productID)
        let (order, trace) = try await place(client, shopper, product, quantity: 1)
        say("5. orders \(product.name) for \(product.price): above the card's limit")
        say("   order \(order.id)  trace \(trace)")
        let end = try await follow(client, shopper, order.id)
        let payment = try await payment(client, admin, order.id)
        let after = try await settledStock(client, admin, product.productID, like: before)
        say(
            "   \(end.rawValue); payment \(payment.status) (\(payment.reason ?? "-")); "
                + "stock \(before.onHand) → \(after.onHand), reserved \(after.reserved): released again")
        return check(
            end == .cancelled && payment.status == "DECLINED" && after.onHand == before.onHand
                && after.reserved == before.reserved)
    }

    private func rejectedOrder(_ client: ShopClient, _ shopper: String, _ admin: String) async throws -> Bool {
        let product = try await find(client, shopper, DemoCatalog.rare)
        let before = try await stock(client, admin, product.productID)
        let refused = try await add(client, shopper, product.productID, before.available + 1)
        say("6. wants \(before.available + 1) × \(product.name): the cart answers \(refused)")
        let (order, trace) = try await place(client, shopper, product, quantity: before.available + 1)
        say("   orders them all the same: order \(order.id)  trace \(trace)")
        let end = try await follow(client, shopper, order.id)
        let payment = try await settledPayment(client, admin, order.id)
        let after = try await stock(client, admin, product.productID)
        say(
            "   \(end.rawValue); payment \(payment.status): the hold on the card was let go; "
                + "stock \(before.onHand) → \(after.onHand), reserved \(after.reserved)")
        return check(
            refused == 400 && end == .cancelled && payment.status == "VOIDED" && after.onHand == before.onHand
                && after.reserved == before.reserved)
    }

    private func check(_ isRight: Bool) -> Bool {
        say(isRight ? "   as it should be" : "   NOT as it should be")
        return isRight
    }

    // MARK: Steps

    private func add(_ client: ShopClient, _ token: String, _ productID: String, _ quantity: Int) async throws -> Int {
        struct Item: Encodable {
            let product_id: String
            let quantity: Int
        }
        return try await client.post(
            "/cart-api/cart/items", token: token, json: Item(product_id: productID, quantity: quantity)
        ).status
    }

    private func place(
        _ client: ShopClient, _ token: String, _ product: ProductView, quantity: Int
    ) async throws -> (OrderView, String) {
        let item = OrderItem(
            productID: product.productID, name: product.name, price: product.price, quantity: quantity)
        guard let total = product.price.multiplied(by: quantity) else { throw ShopError("the total is too large") }
        let answer = try await client.post(
            "/order-api/orders/", token: token, json: CreateOrder(items: [item], total: total))
        guard answer.status == 200 else { throw ShopError("placing an order failed with status \(answer.status)") }
        return (try answer.decode(), answer.traceID)
    }

    /// Waits for the order's end.
    private func follow(_ client: ShopClient, _ token: String, _ orderID: String) async throws -> OrderStatus {
        var seen: [OrderStatus] = []
        for _ in 0..<(Self.waitMilliseconds / Self.pollMilliseconds) {
            let order: OrderView = try await client.get("/order-api/orders/\(orderID)", token: token).decode()
            if seen.last != order.status { seen.append(order.status) }
            if order.status == .delivered || order.status == .cancelled {
                say("   " + seen.map(\.rawValue).joined(separator: " → "))
                return order.status
            }
            try await Task.sleep(nanoseconds: UInt64(Self.pollMilliseconds) * 1_000_000)
        }
        throw ShopError("the order did not reach its end within a minute")
    }

    private func find(
        _ client: ShopClient, _ token: String, _ wanted: DemoCatalog.Product
    ) async throws -> ProductView {
        let page: ProductPage = try await client.get(
            "/api/products/?category=\(wanted.category)&limit=100", token: token
        ).decode()
        guard let product = page.items.first(where: { $0.name == wanted.name }) else {
            throw ShopError("'\(wanted.name)' is not in the catalog: is the demo catalog loaded?")
        }
        return product
    }

    private func stock(_ client: ShopClient, _ admin: String, _ productID: String) async throws -> StockLevelView {
        let levels: StockLevelPage = try await client.get(
            "/api/v1/stock-levels?product_id=\(productID)", token: admin
        ).decode()
        guard let level = levels.items.first else {
            throw ShopError("the warehouse does not know the product yet: try again")
        }
        return level
    }

    /// Compensation goes on for a moment after the order's end.
    private func settledStock(
        _ client: ShopClient, _ admin: String, _ productID: String, like wanted: StockLevelView
    ) async throws -> StockLevelView {
        var level = try await stock(client, admin, productID)
        for _ in 0..<50 where level.reserved != wanted.reserved {
            try await Task.sleep(nanoseconds: UInt64(Self.pollMilliseconds) * 1_000_000)
            level = try await stock(client, admin, productID)
        }
        return level
    }

    private func payment(_ client: ShopClient, _ admin: String, _ orderID: String) async throws -> PaymentView {
        let answer = try await client.get("/api/v1/payments?order_id=\(orderID)", token: admin)
        guard answer.status == 200 else { throw ShopError("there is no payment of order \(orderID)") }
        return try answer.decode()
    }

    private func settledPayment(_ client: ShopClient, _ admin: String, _ orderID: String) async throws -> PaymentView {
        for _ in 0..<50 {
            let answer = try await client.get("/api/v1/payments?order_id=\(orderID)", token: admin)
            if answer.status == 200 {
                let payment: PaymentView = try answer.decode()
                if payment.status != "AUTHORIZED" { return payment }
            }
            try await Task.sleep(nanoseconds: UInt64(Self.pollMilliseconds) * 1_000_000)
        }
        return try await payment(client, admin, orderID)
    }

    private func whereToLook() {
        say("\nWhere to look")
        if let logs = endpoints["LOGS"] { say("  every line of a trace     grep TRACE \(logs)/*.log") }
        if let prometheus = endpoints["PROMETHEUS_URL"] { say("  metrics                   \(prometheus)") }
        if let queues = endpoints["RABBITMQ_MANAGEMENT_URL"] { say("  queues, dead letters      \(queues)") }
        if let mailbox = endpoints["NOTIFICATIONS_MAILBOX"] { say("  e-mail to the shopper     \(mailbox)") }
    }
}
