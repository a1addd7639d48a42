import HTTPCodec
import Models
import Purchase
import ServiceKit
import ServiceTesting
import Testing
import Users

@testable import Models

/// The purchase service as its users know it.
@Suite struct PurchaseTests {
    private func member(_ reply: Reply, _ name: String) throws -> JSONNode {
        try #require(try JSONNode(whole: reply.bytes).members().first { $0.name == name }?.value, "\(reply.text)")
    }
    private func id(_ reply: Reply) throws -> String { try #require(try member(reply, "id").string) }

    private func order(_ shop: Deployment) async throws -> (order: String, supplier: String) {
        let supplier = try id(
            try await shop.send(.post, "/api/v1/suppliers", json: #"{"code":"ACME","name":"Acme"}"#))
        let order = try id(
            try await shop.send(
                .post, "/api/v1/purchase-orders", json: #"{"number":"PO-1","supplier_id":"\#(supplier)"}"#))
        return (order, supplier)
    }

    private func line(_ order: String, quantity: Int, price: String) -> String {
        """
        {"order_id":"\(order)","product_id":"11111111-2222-4333-8444-555555555555","name":"Gear",\
        "quantity":\(quantity),"price":\(price)}
        """
    }

    @Test func theTotalFollowsTheLines() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let (order, _) = try await order(shop)
            let lines = "/api/v1/purchase-order-lines"
            let first = try await shop.send(.post, lines, json: line(order, quantity: 3, price: "1.10"))
            try #require(first.status == 201, "\(first.text)")
            _ = try await shop.send(.post, lines, json: line(order, quantity: 1, price: "0.05"))
            var read = try await shop.get("/api/v1/purchase-orders/\(order)")
            #expect(try member(read, "total").text == "3.35")
            let changed = try await shop.send(.patch, "\(lines)/\(try id(first))", json: #"{"quantity":10}"#)
            #expect(changed.status == 200)
            read = try await shop.get("/api/v1/purchase-orders/\(order)")
            #expect(try member(read, "total").text == "11.05")
            #expect(try await shop.send(.delete, "\(lines)/\(try id(first))").status == 204)
            read = try await shop.get("/api/v1/purchase-orders/\(order)")
            #expect(try member(read, "total").text == "0.05")
            #expect(try await shop.get("\(lines)?order_id=\(order)").text.hasSuffix(#""count":1}"#))
        }
    }

    @Test func linesThatComeAtOnceAreAllCounted() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let (order, _) = try await order(shop)
            try await withThrowingTaskGroup(of: Reply.self) { tasks in
                for _ in 0..<12 {
                    tasks.addTask {
                        try await shop.send(
                            .post, "/api/v1/purchase-order-lines", json: line(order, quantity: 1, price: "0.10")
                        )
                    }
                }
                for try await reply in tasks { #expect(reply.status == 201, "\(reply.text)") }
            }
            let read = try await shop.get("/api/v1/purchase-orders/\(order)")
            #expect(try member(read, "total").text == "1.20")
        }
    }

    @Test func anOrderGoesItsWayAndOnlyADraftChanges() async throws {
        try await Deployment.run([PurchaseService.definition, UsersService.definition]) { shop in
            let (order, supplier) = try await order(shop)
            let path = "/api/v1/purchase-orders/\(order)"
            #expect(try await shop.send(.post, path + "/order").status == 422)
            let added = try await shop.send(
                .post, "/api/v1/purchase-order-lines", json: line(order, quantity: 2, price: "5"))
            #expect(try await shop.send(.post, path + "/receive").status == 409)
            #expect(try await shop.send(.post, path + "/order", as: .clerk).status == 403)
            let ordered = try await shop.send(.post, path + "/order")
            #expect(try member(ordered, "status").string == "ordered")
            #expect(try await shop.send(.patch, path, json: #"{"note":"late"}"#).status == 409)
            #expect(try await shop.send(.delete, path).status == 409)
            #expect(
                try await shop.send(.delete, "/api/v1/purchase-order-lines/\(try id(added))").status == 409)
            #expect(
                try await shop.send(.post, "/api/v1/purchase-order-lines", json: line(order, quantity: 1, price: "1"))
                    .status == 409)
            #expect(try await shop.send(.delete, "/api/v1/suppliers/\(supplier)").status == 409)
            #expect(try member(try await shop.send(.post, path + "/receive"), "status").string == "received")
            #expect(try await shop.send(.post, path + "/cancel").status == 409)
        }
    }

    @Test func amountsBeyondEveryOrderAreRefused() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let (order, _) = try await order(shop)
            let huge = try await shop.send(
                .post, "/api/v1/purchase-order-lines", json: line(order, quantity: 1_000_000, price: "999999999999.99"))
            #expect(huge.status == 422)
            let most = line(order, quantity: 1, price: "999999999999.99")
            #expect(try await shop.send(.post, "/api/v1/purchase-order-lines", json: most).status == 201)
            let over = try await shop.send(.post, "/api/v1/purchase-order-lines", json: most)
            #expect(over.status == 422)
            #expect(try await shop.get("/api/v1/purchase-order-lines").text.hasSuffix(#""count":1}"#))
        }
    }

    @Test func deletingADraftTakesItsLinesAlong() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let (order, supplier) = try await order(shop)
            _ = try await shop.send(
                .post, "/api/v1/purchase-order-lines", json: line(order, quantity: 2, price: "5"))
            #expect(try await shop.send(.delete, "/api/v1/purchase-orders/\(order)").status == 204)
            #expect(try await shop.get("/api/v1/purchase-order-lines").text.hasSuffix(#""count":0}"#))
            #expect(try await shop.send(.delete, "/api/v1/suppliers/\(supplier)").status == 204)
        }
    }
}
