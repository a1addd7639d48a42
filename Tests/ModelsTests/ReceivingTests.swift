import HTTPCodec
import Models
import PostgreSQL
import Purchase
import PurchaseContracts
import ServiceKit
import ServiceTesting
import TelemetryTesting
import Testing
import Values
import Warehouse

@testable import Models

/// What purchase receives arrives in the warehouse: two services, their databases and the broker between them.
@Suite struct ReceivingTests {
    private static let both = [PurchaseService.definition, WarehouseService.definition]

    private struct Order {
        let id: String
        let lines: [String]
        var path: String { "/api/v1/purchase-orders/\(id)" }
    }

    /// An order that was sent to its supplier: so many of each product.
    private func order(
        _ shop: Deployment, _ lines: [(product: String, quantity: Int)], as person: Person = .manager
    ) async throws -> Order {
        let supplier = try await shop.send(
            .post, "/api/v1/suppliers", as: person,
            json: #"{"code":"S\#(UInt32.random(in: 0 ... .max))","name":"Acme"}"#)
        let order = try await shop.send(
            .post, "/api/v1/purchase-orders", as: person,
            json: #"{"number":"P\#(UInt32.random(in: 0 ... .max))","supplier_id":"\#(try supplier.rowID)"}"#
        ).rowID
        var ids: [String] = []
        for (product, quantity) in lines {
            let body = """
                {"order_id":"\(order)","product_id":"\(product)","name":"Gear","quantity":\(quantity),"price":1.10}
                """
            ids.append(try await shop.send(.post, "/api/v1/purchase-order-lines", as: person, json: body).rowID)
        }
        let sent = try await shop.send(.post, "/api/v1/purchase-orders/\(order)/order", as: person)
        try #require(sent.status == 200, "\(sent.text)")
        return Order(id: order, lines: ids)
    }

    private func receive(
        _ shop: Deployment, _ line: String, _ quantity: Int, headers: [String: String] = [:]
    ) async throws -> Reply {
        try await shop.send(
            .post, "/api/v1/purchase-receipts", headers: headers,
            json: #"{"line_id":"\#(line)","quantity":\#(quantity)}"#)
    }

    private func onHand(_ shop: Deployment, _ product: String, becomes count: Int) async throws -> Bool {
        try await eventually { try await shop.stock(product).onHand == count }
    }

    @Test func anOrderComesInPartsAndTheStockFollows() async throws {
        try await Deployment.run(Self.both) { shop in
            let (gear, cog) = (try await shop.product(1), try await shop.product(0))
            let order = try await order(shop, [(gear, 10), (cog, 4)])
            #expect(try await shop.get(order.path).member("outstanding").text == "14")

            let first = try await receive(shop, order.lines[0], 6)
            try #require(first.status == 201, "\(first.text)")
            #expect(try first.member("product_id").string == gear)
            #expect(try await shop.get(order.path).member("status").string == "partly_received")
            #expect(try await shop.get(order.path).member("outstanding").text == "8")
            #expect(
                try await shop.get("/api/v1/purchase-order-lines/\(order.lines[0])").member("received").text == "6")
            #expect(try await onHand(shop, gear, becomes: 7))

            // The same request again is the same receipt; more than was ordered is none.
            let key = ["idempotency-key": "once"]
            #expect(try await receive(shop, order.lines[0], 1, headers: key).status == 201)
            #expect(try await receive(shop, order.lines[0], 1, headers: key).status == 201)
            let over = try await receive(shop, order.lines[0], 4)
            #expect(over.status == 409)
            #expect(try over.member("code").string == "purchase_order_line.over_receipt")
            #expect(try await shop.send(.post, order.path + "/cancel").status == 409)
            #expect(try await shop.send(.patch, order.path, json: #"{"note":"late"}"#).status == 409)
            #expect(
                try await shop.send(
                    .patch, "/api/v1/purchase-order-lines/\(order.lines[1])", json: #"{"quantity":9}"#
                ).status == 409)

            let rest = try await shop.send(.post, order.path + "/receive")
            #expect(try rest.member("status").string == "received")
            #expect(try rest.member("outstanding").text == "0")
            #expect(try await receive(shop, order.lines[1], 1).status == 409)
            #expect(try await shop.send(.post, order.path + "/receive").status == 409)
            #expect(try await onHand(shop, gear, becomes: 11))
            #expect(try await onHand(shop, cog, becomes: 4))
            #expect(try await shop.stock(cog).places == ["MAIN": 4])
            let receipts = try await shop.get("/api/v1/purchase-receipts?order_id=\(order.id)")
            #expect(receipts.text.hasSuffix(#""count":4}"#), "\(receipts.text)")
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    @Test func whatIsReceivedAtOnceIsNeverMoreThanWasOrdered() async throws {
        try await Deployment.run(Self.both) { shop in
            let gear = try await shop.product(0)
            let order = try await order(shop, [(gear, 10)])
            let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for _ in 0..<8 { tasks.addTask { try await receive(shop, order.lines[0], 3).status } }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 201 }.count == 3)
            #expect(statuses.filter { $0 == 409 }.count == 5)
            #expect(try await shop.get(order.path).member("outstanding").text == "1")
            #expect(try await onHand(shop, gear, becomes: 9))
        }
    }

    @Test func whatIsToldTwiceOrTooEarlyCountsOnce() async throws {
        try await Deployment.run([WarehouseService.definition]) { shop in
            let gear = try await shop.product(5)
            let receipts = (0..<3).map { number in
                GoodsReceived(
                    receiptID: Identifier.make(), orderID: Identifier.make(), companyID: Person.alpha, productID: gear,
                    quantity: number + 1)
            }
            // The last first, each delivered three times, and once more as another message.
            for receipt in receipts.reversed() { try await shop.publish(receipt, times: 3) }
            for receipt in receipts { try await shop.publish(receipt) }
            let database = try shop.database("warehouse")
            #expect(
                try await eventually {
                    try await database.query("SELECT n", "SELECT count(*) AS n FROM inbox").first?.get("n") == 7
                })
            #expect(try await shop.stock(gear) == (["MAIN": 11], 11, 0))

            // Goods that come before the catalog's word of them wait for it; another company's are refused.
            let unknown = Identifier.make()
            let early = GoodsReceived(
                receiptID: Identifier.make(), orderID: Identifier.make(), companyID: Person.alpha, productID: unknown,
                quantity: 2)
            try await shop.publish(early)
            let theft = GoodsReceived(
                receiptID: Identifier.make(), orderID: Identifier.make(), companyID: Person.beta, productID: gear,
                quantity: 90)
            try await shop.publish(theft)
            #expect(
                try await eventually {
                    try shop.capture("warehouse").value(
                        #"message_retries_total{event="purchase.received"}"#) ?? 0 >= 1
                })
            try await shop.introduce(unknown, 3)
            #expect(try await eventually { try await shop.stock(unknown).onHand == 5 })
            #expect(try await shop.stock(gear).onHand == 11)
            #expect(try await shop.bookkeepingErrors() == 0)
        }
    }

    @Test func everyCompanyReceivesItsOwn() async throws {
        try await Deployment.run(Self.both) { shop in
            let theirs = try await shop.product(0, company: Person.beta)
            let order = try await order(shop, [(theirs, 3)], as: .rival)
            #expect(try await receive(shop, order.lines[0], 1).status == 422)
            #expect(try await shop.send(.post, order.path + "/receive", as: .rival).status == 200)
            #expect(try await onHand(shop, theirs, becomes: 3))
            #expect(try await shop.get("/api/v1/purchase-receipts").text.hasSuffix(#""count":0}"#))
        }
    }
}
