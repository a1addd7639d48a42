import CatalogContracts
import HTTPCodec
import OrdersContracts
import ServiceKit
import Testing
import Values

@testable import Gateway
@testable import Orders
@testable import Users

@Suite struct OrderRulesTests {
    private let id = "11111111-1111-4111-8111-111111111111"

    private func order(_ quantity: Int, price: Int64 = 1_990, total: Int64? = nil) -> CreateOrder {
        CreateOrder(
            items: [OrderItem(productID: id, name: "Kettle", price: Money(cents: price), quantity: quantity)],
            total: Money(cents: total ?? price * Int64(quantity)))
    }

    @Test func aSoundOrderPasses() throws { try OrderRules.check(order(3)) }

    @Test func whatIsWrongIsRefused() {
        for wrong in [
            order(0), order(1_001), order(1, price: 0), order(2, total: 1), CreateOrder(items: [], total: .zero),
            CreateOrder(
                items: order(1).items + order(1).items, total: Money(cents: 3_980)),
        ] {
            #expect(throws: HTTPError.self) { try OrderRules.check(wrong) }
        }
    }

    @Test func theCatalogsPriceCounts() throws {
        let product = ProductView(productID: id, name: "Kettle", category: "Kitchen", price: Money(cents: 1_990))
        #expect(try OrderRules.priced(order(1).items, with: [id: product]).first?.name == "Kettle")
        #expect(throws: HTTPError.self) { try OrderRules.priced(order(1, price: 1).items, with: [id: product]) }
        #expect(throws: HTTPError.self) { try OrderRules.priced(order(1).items, with: [:]) }
    }

    @Test func ordersOnlyMoveForward() {
        #expect(OrderTransition.isAllowed(from: .processing, to: .delivered))
        #expect(OrderTransition.isAllowed(from: .shipping, to: .cancelled))
        #expect(OrderTransition.isAllowed(from: .created, to: .cancelled))
        for (from, to) in [
            (OrderStatus.shipping, OrderStatus.processing), (.delivered, .cancelled), (.cancelled, .created),
            (.cancelled, .cancelled), (.created, .processing), (.created, .shipping), (.created, .delivered),
        ] {
            #expect(!OrderTransition.isAllowed(from: from, to: to))
        }
    }
}

@Suite struct GatewayRulesTests {
    @Test(arguments: [
        ("/api/users/login", "users"), ("/api/products/", "catalog"), ("/user-api/token", "users"),
        ("/cart-api/cart/items/1", "cart"), ("/order-api/orders/", "orders"), ("/api/v1/payments", "payments"),
    ])
    func pathsGoToTheirService(_ path: String, _ service: String) {
        #expect(RoutingTable.platform.entry(for: path[...])?.service == service)
    }

    @Test(arguments: ["/", "/internal/stock/1", "/api", "/api/usersx", "/cart-apix/cart", "/metrics"])
    func otherPathsGoNowhere(_ path: String) { #expect(RoutingTable.platform.entry(for: path[...]) == nil) }

    @Test func noClientSaysWhoItIs() {
        var fields = HTTPFields()
        for name in [
            "X-Vitrine-Identity", "X-User-ID", "X-Admin", "X-Forwarded-For", "Forwarded", "X-Real-IP",
            "Authorization", "Connection", "X-Custom",
        ] { fields.add(name, "x-custom-2") }
        fields.add("X-Custom-2", "1")
        fields.add("Accept", "text/plain")
        let passed = HeaderPolicy.forUpstream(fields)
        var names: [String] = []
        passed.forEach { name, _ in names.append(name.lowercased()) }
        // `Connection` names X-Custom-2, which therefore belongs to the client's own connection.
        #expect(names == ["x-custom", "accept"])
    }

    @Test func answersCarrySecurityFieldsUnlessTheServiceSetsItsOwn() {
        var fields = HTTPFields()
        fields.add("content-security-policy", "default-src 'self'")
        let passed = HeaderPolicy.forClient(fields)
        #expect(passed["x-content-type-options"] == "nosniff")
        #expect(passed.values("content-security-policy") == ["default-src 'self'"])
    }
}

@Suite struct CredentialsTests {
    @Test(arguments: ["a@b.example", "first.last+tag@sub.domain.org"])
    func addressesAreRecognised(_ text: String) { #expect(Credentials.isEmail(text)) }

    @Test(arguments: [
        "", "a", "a@b", "@b.example", "a@b..example", "a b@c.example", "a@-b.example", "a@b.example\r\n",
        "a@@b.example",
    ])
    func otherTextsAreNot(_ text: String) { #expect(!Credentials.isEmail(text)) }

    @Test func weakPasswordsAreNamed() {
        #expect(Credentials.weakness(ofPassword: "Abcdefg1") == nil)
        for weak in ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Abcdefg1" + String(repeating: "x", count: 70)] {
            #expect(Credentials.weakness(ofPassword: weak) != nil)
        }
    }
}
