import CatalogContracts
import HTTPCodec
import LocalStack
import Models
import OrdersContracts
import PostgreSQL
import ProcessorContracts
import ServiceKit
import ServiceTesting
import TelemetryTesting
import Testing
import Users
import Values

@testable import Models
@testable import Warehouse

/// The warehouse's books: whatever was done, these are zero.
extension Deployment {
    /// Products and locations whose levels are not what the movements add up to, or that are below what is set aside; and
    /// movements that no finished operation explains.
    func bookkeepingErrors() async throws -> Int {
        try await database("warehouse").query(
            "SELECT n",
            """
            SELECT (SELECT count(*) FROM stock_levels s WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand
                    OR on_hand <> (SELECT coalesce(sum(quantity), 0) FROM location_levels l
                                   WHERE l.product_id = s.product_id)
                    OR on_hand <> (SELECT coalesce(sum(quantity), 0) FROM stock_movements m
                                   WHERE m.product_id = s.product_id))
                 + (SELECT count(*) FROM location_levels l WHERE quantity < 0
                    OR quantity <> (SELECT coalesce(sum(quantity), 0) FROM stock_movements m
                                    WHERE m.product_id = l.product_id AND m.location_id = l.location_id))
                 + (SELECT count(*) FROM stock_movements m JOIN operations o ON o.id = m.operation_id
                    WHERE o.state <> 'done' OR o.completed_at IS NULL
                       OR NOT EXISTS (SELECT 1 FROM operation_lines n
                                      WHERE n.operation_id = o.id AND n.product_id = m.product_id))
                 AS n
            """
        ).first?.get("n") ?? -1
    }

    /// A product of the catalog, of which the warehouse has so many.
    func product(_ count: Int, company: String? = Person.alpha) async throws -> String {
        let id = Identifier.make()
        try await introduce(id, count, company: company)
        return id
    }

    /// Has the catalog tell of a product, and the warehouse hear of it.
    func introduce(_ id: String, _ count: Int, company: String? = Person.alpha) async throws {
        let view = ProductView(
            productID: id, name: "Orrery", category: "Toys", price: Money(cents: 100), stockCount: count)
        try await publish(ProductCreated(product: view, companyID: company, revision: 1))
        try #require(
            try await eventually {
                try await database("warehouse").query(
                    "SELECT n", "SELECT count(*) AS n FROM stock_levels WHERE product_id = \(id)::uuid"
                ).first?.get("n") == 1
            })
    }

    /// How much of a product lies where, by the location's code; what there is in all; what is set aside.
    func stock(_ product: String) async throws -> (places: [String: Int], onHand: Int, reserved: Int) {
        let rows = try await database("warehouse").query(
            "SELECT location_levels",
            """
            SELECT code, quantity FROM location_levels JOIN locations ON locations.id = location_id
            WHERE product_id = \(product)::uuid AND quantity <> 0
            """
        ).rows
        let level = try await database("warehouse").query(
            "SELECT stock_levels", "SELECT on_hand, reserved FROM stock_levels WHERE product_id = \(product)::uuid"
        ).first
        return (
            Dictionary(uniqueKeysWithValues: try rows.map { (try $0.get("code"), try $0.get("quantity")) }),
            try #require(level).get("on_hand"), try #require(level).get("reserved")
        )
    }
}

extension Reply {
    func member(_ name: String) throws -> JSONNode {
        try #require(try JSONNode(whole: bytes).members().first { $0.name == name }?.value, "\(text)")
    }
    /// The id of the row that it shows.
    var rowID: String { get throws { try #require(try member("id").string) } }
}

/// The warehouse as its staff know it.
@Suite struct WarehouseTests {
    private func location(_ shop: Deployment, _ code: String, as person: Person = .manager) async throws -> String {
        try await shop.send(
            .post, "/api/v1/locations", as: person, json: #"{"code":"\#(code)","name":"Shelf \#(code)"}"#
        ).rowID
    }

    private func main(_ shop: Deployment) async throws -> String {
        let page = try await shop.get("/api/v1/locations?code=MAIN")
        return try #require(
            try page.member("items").elements().first?.members().first { $0.name == "id" }?.value.string)
    }

    /// A draft with lines: `(product, location, to, quantity)`.
    private func draft(
        _ shop: Deployment, _ kind: String, _ lines: [(String, String, String?, Int)], as person: Person = .manager
    ) async throws -> String {
        let operation = try await shop.send(
            .post, "/api/v1/operations", as: person,
            json: #"{"number":"N\#(UInt64.random(in: 0 ... .max))","kind":"\#(kind)"}"#
        ).rowID
        for (product, location, to, quantity) in lines {
            let to = to.map { #","to_location_id":"\#($0)""# } ?? ""
            let line = try await shop.send(
                .post, "/api/v1/operation-lines", as: person,
                json: """
                    {"operation_id":"\(operation)","product_id":"\(product)","location_id":"\(location)"\(to),\
                    "quantity":\(quantity)}
                    """)
            try #require(line.status == 201, "\(line.text)")
        }
        return operation
    }

    private func done(
        _ shop: Deployment, _ kind: String, _ lines: [(String, String, String?, Int)]
    ) async throws -> Reply {
        try await shop.send(.post, "/api/v1/operations/\(try await draft(shop, kind, lines))/complete")
    }

    @Test func operationsMoveStockAndEveryChangeIsExplained() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let product = try await shop.product(10)
            let (main, shelf) = (try await main(shop), try await location(shop, "A-1"))
            #expect(try await shop.stock(product).places == ["MAIN": 10])

            #expect(try await done(shop, "receive", [(product, shelf, nil, 5)]).status == 200)
            #expect(try await shop.stock(product).places == ["MAIN": 10, "A-1": 5])
            #expect(try await done(shop, "move", [(product, main, shelf, 4)]).status == 200)
            #expect(try await shop.stock(product).places == ["MAIN": 6, "A-1": 9])
            #expect(try await done(shop, "pick", [(product, main, nil, 6), (product, shelf, nil, 1)]).status == 200)
            #expect(try await shop.stock(product).places == ["A-1": 8])
            let counted = try await done(shop, "count", [(product, shelf, nil, 7), (product, main, nil, 2)])
            #expect(try counted.member("state").string == "done")
            #expect(try counted.member("completed_at").kind == .string)
            #expect(try await shop.stock(product).places == ["MAIN": 2, "A-1": 7])
            #expect(try await shop.stock(product).onHand == 9)
            #expect(try await shop.bookkeepingErrors() == 0)

            let level = try await shop.get("/api/v1/stock-levels?product_id=\(product)&on_hand=9&available__gte=9")
            #expect(level.text.hasSuffix(#""count":1}"#), "\(level.text)")
            let movements = try await shop.get("/api/v1/stock-movements?product_id=\(product)&quantity__lt=0")
            #expect(movements.text.hasSuffix(#""count":4}"#), "\(movements.text)")
            for name in ["stock-levels", "location-levels", "stock-movements"] {
                #expect(try await shop.send(.post, "/api/v1/\(name)", json: "{}").status == 405)
            }
        }
    }

    @Test func whatCannotBeDoneChangesNothing() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let (product, other) = (try await shop.product(10), try await shop.product(3))
            let foreign = try await shop.product(50, company: Person.beta)
            let (main, shelf) = (try await main(shop), try await location(shop, "A-1"))
            let refused: [(String, [(String, String, String?, Int)], String)] = [
                ("pick", [(other, main, nil, 1), (product, main, nil, 11)], "stock.insufficient"),
                ("pick", [(product, main, nil, 6), (product, main, nil, 5)], "stock.insufficient"),
                ("move", [(product, shelf, main, 1)], "stock.insufficient"),
                ("move", [(product, main, nil, 1)], "operation.destination"),
                ("move", [(product, main, main, 1)], "operation.destination"),
                ("pick", [(product, main, shelf, 1)], "operation.destination"),
                ("receive", [(product, main, nil, 0)], "operation.empty_line"),
                ("receive", [(foreign, main, nil, 1)], "stock.unknown_product"),
                ("receive", [(Identifier.make(), main, nil, 1)], "stock.unknown_product"),
                ("receive", [], "operation.lines"),
            ]
            for (kind, lines, code) in refused {
                let reply = try await done(shop, kind, lines)
                #expect(reply.status == 409, "\(kind) \(code): \(reply.text)")
                #expect(try reply.member("code").string == code)
            }
            #expect(try await shop.stock(product).places == ["MAIN": 10])
            #expect(try await shop.stock(other).places == ["MAIN": 3])
            #expect(try await shop.stock(foreign).onHand == 50)
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    @Test func whatIsDoneStaysAndOnlyADraftChanges() async throws {
        try await Deployment.run([WarehouseService.definition, UsersService.definition]) { shop in
            let product = try await shop.product(10)
            let main = try await main(shop)
            let operation = try await draft(shop, "pick", [(product, main, nil, 2)])
            let path = "/api/v1/operations/\(operation)"
            let line = try #require(
                try await shop.get("/api/v1/operation-lines?operation_id=\(operation)").member("items").elements()
                    .first?.members().first { $0.name == "id" }?.value.string)
            #expect(try await shop.send(.post, path + "/complete", as: .clerk).status == 403)
            #expect(try await shop.send(.post, path + "/complete", as: .rival).status == 404)
            // Sent twice at once, it is done once.
            async let first = shop.send(.post, path + "/complete")
            async let second = shop.send(.post, path + "/complete")
            #expect(try await [first.status, second.status].sorted() == [200, 409])
            #expect(try await shop.stock(product).onHand == 8)
            for (method, target, body) in [
                (HTTPMethod.patch, path, #"{"note":"late"}"#), (.delete, path, nil), (.post, path + "/cancel", nil),
                (.patch, "/api/v1/operation-lines/\(line)", #"{"quantity":1}"#),
                (.delete, "/api/v1/operation-lines/\(line)", nil),
            ] { #expect(try await shop.send(method, target, json: body).status == 409, "\(method) \(target)") }
            #expect(try await shop.send(.delete, "/api/v1/locations/\(main)").status == 409)

            let given = try await draft(shop, "pick", [(product, main, nil, 2)])
            #expect(try await shop.send(.post, "/api/v1/operations/\(given)/cancel").status == 200)
            #expect(try await shop.send(.post, "/api/v1/operations/\(given)/complete").status == 409)
            #expect(try await shop.stock(product).onHand == 8)
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    // MARK: Orders

    private func order(_ product: String, _ quantity: Int, company: String? = Person.alpha) -> OrderCreated {
        let item = OrderItem(productID: product, name: "Orrery", price: Money(cents: 100), quantity: quantity)
        return OrderCreated(
            orderID: Identifier.make(), userID: Identifier.make(), items: [item], total: Money(cents: 100),
            createdAt: .now(), companyID: company)
    }

    private func outcome(_ order: OrderCreated, _ status: OrderProcessed.Outcome) -> OrderProcessed {
        OrderProcessed(
            orderID: order.orderID, status: status, errorMessage: nil, userID: order.userID, total: order.total)
    }

    private func reservation(_ shop: Deployment, of order: OrderCreated, is state: ReservationState) async throws
        -> Bool
    {
        try await eventually {
            try await shop.get("/api/v1/reservations?order_id=\(order.orderID)&state=\(state.rawValue)").text
                .hasSuffix(#""count":1}"#)
        }
    }

    @Test func anOrderTakesNothingOfAnotherCompany() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let product = try await shop.product(3)
            for company in [Person.beta, nil] {
                let foreign = order(product, 1, company: company)
                try await shop.publish(foreign)
                let isRejected = try await eventually {
                    try await shop.database("warehouse").query(
                        "SELECT n",
                        """
                        SELECT count(*) AS n FROM reservations
                        WHERE order_id = \(foreign.orderID)::uuid AND state = 'REJECTED'
                              AND company_id IS NOT DISTINCT FROM \(company)::uuid
                        """
                    ).first?.get("n") == 1
                }
                #expect(isRejected)
            }
            #expect(try await shop.stock(product).reserved == 0)
        }
    }

    @Test func ordersTakeFromWhereGoodsLieAndGiveBackToTheMainLocation() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let product = try await shop.product(3)
            let (main, shelf) = (try await main(shop), try await location(shop, "A-1"))
            #expect(try await done(shop, "receive", [(product, shelf, nil, 4)]).status == 200)
            let order = order(product, 5)
            try await shop.publish(order, times: 2)
            #expect(try await reservation(shop, of: order, is: .reserved))
            #expect(try await shop.stock(product).reserved == 5)

            // What orders have set aside is nobody else's, wherever it lies.
            let tooMuch = try await done(shop, "pick", [(product, shelf, nil, 3)])
            #expect(try tooMuch.member("code").string == "stock.reserved")
            #expect(try await done(shop, "count", [(product, main, nil, 0)]).status == 409)
            #expect(try await done(shop, "move", [(product, main, shelf, 3)]).status == 200)
            #expect(try await done(shop, "move", [(product, shelf, main, 2)]).status == 200)
            #expect(try await done(shop, "pick", [(product, shelf, nil, 2)]).status == 200)

            try await shop.publish(outcome(order, .completed), times: 2)
            #expect(try await reservation(shop, of: order, is: .committed))
            #expect(try await shop.stock(product) == ([:], 0, 0))
            let explained = try await shop.get("/api/v1/operations?source_id=\(order.orderID)&kind=pick&state=done")
            #expect(explained.text.hasSuffix(#""count":1}"#), "\(explained.text)")

            try await shop.publish(
                OrderCancelled(orderID: order.orderID, userID: order.userID, total: order.total, reason: "late"),
                times: 2)
            #expect(try await reservation(shop, of: order, is: .returned))
            #expect(try await shop.stock(product) == (["MAIN": 5], 5, 0))
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    /// Staff, orders and the catalog at once, at random: whatever is refused or done, the books are right.
    @Test func theBooksAreRightWhateverHappensAtOnce() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let products = [try await shop.product(40), try await shop.product(25)]
            let places = [try await main(shop), try await location(shop, "A-1"), try await location(shop, "A-2")]
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for worker in 0..<6 {
                    tasks.addTask {
                        var random = SplitMix(state: UInt64(worker))
                        for _ in 0..<8 {
                            let kind = ["receive", "move", "pick", "count"][Int(random.next() % 4)]
                            let lines = (0..<2).map { _ in
                                let place = Int(random.next() % 3)
                                return (
                                    products[Int(random.next() % 2)], places[place],
                                    kind == "move" ? places[(place + 1) % 3] : nil, Int(random.next() % 12)
                                )
                            }
                            let reply = try await done(shop, kind, lines)
                            #expect([200, 409].contains(reply.status), "\(reply.text)")
                        }
                    }
                }
                tasks.addTask {
                    for number in 0..<8 {
                        let order = order(products[number % 2], 3)
                        try await shop.publish(order, times: 2)
                        try await shop.publish(outcome(order, number % 3 == 0 ? .failed : .completed))
                        let view = ProductView(
                            productID: products[0], name: "Orrery", category: "Toys", price: Money(cents: 100),
                            stockCount: 20 + number)
                        try await shop.publish(
                            ProductUpdated(product: view, companyID: Person.alpha, revision: number + 2))
                    }
                }
                try await tasks.waitForAll()
            }
            // Eight orders, each begun and ended, and eight words of the catalog, through queues of their own.
            let database = try shop.database("warehouse")
            #expect(
                try await eventually {
                    try await database.query("SELECT n", "SELECT count(*) AS n FROM inbox").first?.get("n") == 8 * 3 + 2
                })
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    @Test func whatWasThereBeforeThereWereLocationsIsKept() async throws {
        let url = try await TestServers.postgresDatabase()
        let values = ["WAREHOUSE_DATABASE_URL": url]
        var old = WarehouseService.definition
        let migrations = old.migrations
        old.migrations = Array(migrations.prefix(2))
        old.consumes = []
        old.build = { _ in }
        let (product, order) = (Identifier.make(), Identifier.make())
        try await Deployment.run([old], values: values) { shop in
            try await shop.database("warehouse").transaction { transaction in
                try await transaction.query(
                    "INSERT stock_levels",
                    """
                    INSERT INTO stock_levels (id, company_id, product_id, name, on_hand, reserved)
                    VALUES (gen_random_uuid(), \(Person.alpha)::uuid, \(product)::uuid, 'Orrery', 7, 2),
                           (gen_random_uuid(), NULL, gen_random_uuid(), 'Radio', 0, 0)
                    """)
                try await transaction.query(
                    "INSERT stock_movements",
                    """
                    INSERT INTO stock_movements (id, company_id, product_id, quantity, reason, order_id)
                    VALUES (gen_random_uuid(), \(Person.alpha)::uuid, \(product)::uuid, 10, 'initial', NULL),
                           (gen_random_uuid(), \(Person.alpha)::uuid, \(product)::uuid, -3, 'sold', \(order)::uuid)
                    """)
            }
        }
        try await Deployment.run([WarehouseService.definition], values: values) { shop in
            #expect(try await shop.stock(product) == (["MAIN": 7], 7, 2))
            #expect(try await shop.bookkeepingErrors() == 0)
            let shelf = try await location(shop, "A-1")
            #expect(try await done(shop, "move", [(product, try await main(shop), shelf, 3)]).status == 200)
            #expect(try await shop.bookkeepingErrors() == 0)
            // Back again, the sums still hold.
            let database = try shop.database("warehouse")
            _ = try await MigrationRunner(database: database, service: "warehouse").down(migrations, to: 2)
            let wrong = """
                SELECT count(*) AS n FROM stock_levels l WHERE on_hand <> (
                    SELECT coalesce(sum(quantity), 0) FROM stock_movements m WHERE m.product_id = l.product_id)
                """
            #expect(try await database.query("SELECT n", SQL(unsafeSQL: wrong, parameters: [])).first?.get("n") == 0)
        }
    }
}
