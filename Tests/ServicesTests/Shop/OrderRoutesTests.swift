import CatalogContracts
import HTTPCodec
import OrdersContracts
import PostgreSQL
import ServiceKit
import ServiceTesting
import TelemetryTesting
import Testing
import Values

@testable import Catalog
@testable import Orders

/// What orders accept and whom they answer, on real servers.
@Suite(.serialized) struct OrderRoutesTests {
    private static let services = ShopFloor.all.filter { ["catalog", "orders"].contains($0.name) }

    // MARK: Once

    @Test(.timeLimit(.minutes(2)))
    func oneKeyIsOneOrderHoweverOftenAndHoweverConcurrently() async throws {
        try await ShopFloor.run(Self.services) { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            let ids = try await withThrowingTaskGroup(of: String.self) { tasks in
                for _ in 0..<8 {
                    tasks.addTask {
                        try await floor.place(kettle, 2, as: shopper, key: "once").decode(OrderView.self).id
                    }
                }
                return try await tasks.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(try await floor.place(kettle, 3, as: shopper, key: "once").status == 422)
            let other: OrderView = try await floor.place(kettle, 2, as: ShopFloor.person(), key: "once").decode()
            #expect(!ids.contains(other.id))
            #expect(try await floor.number("orders", "SELECT count(*) AS n FROM orders") == 2)
            #expect(
                try await floor.number("orders", "SELECT count(*) AS n FROM outbox WHERE type = 'order.created'") == 2)
            #expect(try floor.capture("orders").value("orders_created_total") == 2)
            for key in ["", String(repeating: "k", count: 129)] {
                #expect(try await floor.place(kettle, 1, as: shopper, key: key).status == 400)
            }
        }
    }

    // MARK: At the catalog's prices

    @Test(.timeLimit(.minutes(2)))
    func onlyTheCatalogsPriceBuysAndANewPriceBuysAtOnce() async throws {
        try await ShopFloor.run(Self.services, values: ["ORDERS_PRICE_CACHE_SECONDS": "300"]) { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            #expect(try await floor.place(kettle, 1, as: shopper, price: Money(cents: 1)).status == 409)
            #expect(try await floor.place(kettle, 1, as: shopper).status == 200)
            // The shopper sees the new price before orders do.
            let path = "/api/products/\(kettle.productID)"
            let update = #"{"name":"Kettle","category":"Kitchen","price":24.90,"stock_count":10}"#
            #expect(try await floor.send("catalog", .put, path, as: ShopFloor.admin, json: update).status == 200)
            #expect(try await floor.place(kettle, 1, as: shopper, price: Money(cents: 2_490)).status == 200)
            #expect(try await floor.place(kettle, 1, as: shopper).status == 409)
            #expect(try await floor.number("orders", "SELECT count(*) AS n FROM orders") == 2)

            var unknown = kettle
            unknown.productID = "00000000-0000-4000-8000-000000000009"
            #expect(try await floor.place(unknown, 1, as: shopper).status == 404)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func whatIsNotAnOrderIsRefusedAndNothingIsKept() async throws {
        try await ShopFloor.run(Self.services) { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            func line(_ price: String = "19.90", _ quantity: String = "1") -> String {
                #"{"product_id":"\#(kettle.productID)","name":"Kettle","price":\#(price),"quantity":\#(quantity)}"#
            }
            for (body, status) in [
                (#"{"items":[],"total":0}"#, 422), (#"{"items":[\#(line())],"total":1.00}"#, 422),
                (#"{"items":[\#(line("19.90", "0"))],"total":0}"#, 422),
                (#"{"items":[\#(line("-19.90"))],"total":-19.90}"#, 422),
                (#"{"items":[\#(line("19.901"))],"total":19.901}"#, 422),
                (#"{"items":[\#(line()),\#(line())],"total":39.80}"#, 422),
                (#"{"items":[\#(line())],"total":19.90,"status":"DELIVERED"}"#, 422),
                (#"{"items":[\#(line())],"total":19.90,"user_id":"somebody"}"#, 422),
                (#"{"items":"all of them","total":19.90}"#, 422), (#"{"items":["#, 400),
            ] {
                let answer = try await floor.send("orders", .post, "/order-api/orders/", as: shopper, json: body)
                #expect(answer.status == status, "\(body): \(answer.text)")
            }
            #expect(try await floor.number("orders", "SELECT count(*) AS n FROM orders") == 0)
        }
    }

    // MARK: Whose

    @Test(.timeLimit(.minutes(2)))
    func everybodySeesTheirOwnAndNobodyAnotherTenants() async throws {
        try await ShopFloor.run(ShopFloor.all.filter { !["cart", "warehouse"].contains($0.name) }) { floor in
            let (anna, boris) = (ShopFloor.person(), ShopFloor.person())
            let kettle = try await floor.product("19.90", stock: 10)
            let order: OrderView = try await floor.place(kettle, 1, as: anna).decode()
            _ = try await floor.place(kettle, 2, as: boris)
            #expect(try await eventually { try await floor.payment(order.id, as: anna) != nil })
            func list(_ person: ShopFloor.Person) async throws -> Int {
                try await floor.send("orders", .get, "/order-api/orders/", as: person).decode([OrderView].self).count
            }
            #expect(try await list(anna) == 1)
            #expect(try await list(ShopFloor.admin) == 2)
            let path = "/order-api/orders/\(order.id)"
            #expect(try await floor.send("orders", .get, path, as: boris).status == 403)
            #expect(try await floor.send("orders", .get, path, as: nil).status == 401)
            #expect(try await floor.payment(order.id, as: boris) == nil)

            // The same people in another company, and its administrator.
            let company = "00000000-0000-4000-8000-00000000000c"
            for stranger in [
                ShopFloor.person(company: company, id: anna.id), ShopFloor.person(["admin"], company: company),
            ] {
                #expect(try await list(stranger) == 0)
                #expect(try await floor.send("orders", .get, path, as: stranger).status == 404)
                #expect(try await floor.send("orders", .put, path + "/cancel", as: stranger).status == 404)
                #expect(try await floor.payment(order.id, as: stranger) == nil)
                // Nor are the prices that orders remember theirs.
                #expect(try await floor.place(kettle, 1, as: stranger).status == 404)
            }
        }
    }

    // MARK: Statuses

    @Test(.timeLimit(.minutes(2)))
    func administratorsMoveAnOrderForwardOnceItIsDecided() async throws {
        try await ShopFloor.run(ShopFloor.all.filter { $0.name != "cart" }) { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            let order: OrderView = try await floor.place(kettle, 1, as: shopper).decode()
            #expect(try await floor.reaches(order.id, .processing))
            func put(_ status: String, as person: ShopFloor.Person = ShopFloor.admin) async throws -> Int {
                try await floor.send(
                    "orders", .put, "/order-api/orders/\(order.id)/status?status=\(status)", as: person
                )
                .status
            }
            #expect(try await put("SHIPPING", as: shopper) == 403)
            #expect(try await put("LOST") == 422)
            #expect(try await put("CREATED") == 400)
            #expect(try await put("SHIPPING") == 200)
            #expect(try await put("SHIPPING") == 200)
            #expect(try await put("PROCESSING") == 400)
            #expect(try await put("DELIVERED") == 200)
            #expect(try await put("CANCELLED") == 400)
            #expect(
                try await floor.send("orders", .put, "/order-api/orders/\(order.id)/cancel", as: shopper).status == 400)
            #expect(try floor.capture("orders").value(#"orders_status_total{status="SHIPPING"}"#) == 1)

            let labels: [String: String] = try await floor.send(
                "orders", .get, "/order-api/orders/statuses/list", as: shopper
            ).decode()
            #expect(Set(labels.keys) == Set(OrderStatus.allCases.map(\.rawValue)))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func anOrderThatIsNotDecidedCanOnlyBeCancelled() async throws {
        try await ShopFloor.run(Self.services) { floor in
            let kettle = try await floor.product("19.90", stock: 10)
            let order: OrderView = try await floor.place(kettle, 1, as: ShopFloor.person()).decode()
            for (status, code) in [("PROCESSING", 400), ("DELIVERED", 400), ("CANCELLED", 200)] {
                let answer = try await floor.send(
                    "orders", .put, "/order-api/orders/\(order.id)/status?status=\(status)", as: ShopFloor.admin)
                #expect(answer.status == code)
            }
            #expect(
                try await floor.number("orders", "SELECT count(*) AS n FROM outbox WHERE type = 'order.cancelled'") == 1
            )
        }
    }
}
