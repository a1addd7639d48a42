import CatalogContracts
import OrdersContracts
import ServiceKit
import Testing
import Values

@testable import Orders

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
