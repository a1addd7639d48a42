import HTTPCodec
import Models
import PostgreSQL
import Purchase
import ServiceKit
import ServiceTesting
import Testing

@testable import Models

/// Work on rows that a worker does.
@Suite struct ModelTaskTests {
    private func member(_ reply: Reply, _ name: String) throws -> JSONNode {
        try #require(try JSONNode(whole: reply.bytes).members().first { $0.name == name }?.value, "\(reply.text)")
    }
    private func id(_ reply: Reply) throws -> String { try #require(try member(reply, "id").string) }

    /// An order whose total somebody has spoilt behind the API's back.
    private func spoiltOrder(_ shop: Deployment) async throws -> String {
        let supplier = try id(
            try await shop.send(.post, "/api/v1/suppliers", json: #"{"code":"ACME","name":"Acme"}"#))
        let order = try id(
            try await shop.send(
                .post, "/api/v1/purchase-orders", json: #"{"number":"PO-1","supplier_id":"\#(supplier)"}"#))
        _ = try await shop.send(
            .post, "/api/v1/purchase-order-lines",
            json: """
                {"order_id":"\(order)","product_id":"11111111-2222-4333-8444-555555555555","name":"Gear",\
                "quantity":3,"price":1.10}
                """)
        try await shop.database("purchase").query("UPDATE", "UPDATE purchase_orders SET total = 99")
        return order
    }

    @Test func waitingAnswersWithTheRowAsTheWorkerLeftIt() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let order = try await spoiltOrder(shop)
            let reply = try await shop.send(
                .post, "/api/v1/purchase-orders/\(order)/recount-wait?wait_timeout=60")
            // On a very slow machine the deadline of the request comes first.
            try #require(reply.status == 200 || reply.status == 202, "\(reply.text)")
            if reply.status == 200 { #expect(try member(reply, "total").text == "3.30") }
        }
    }

    @Test func anAcceptedTaskCanBeAskedForByItsOwner() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let order = try await spoiltOrder(shop)
            let reply = try await shop.send(.post, "/api/v1/purchase-orders/\(order)/recount")
            try #require(reply.status == 202, "\(reply.text)")
            let task = try #require(try member(reply, "task_id").string)
            var status = try await shop.get("/api/v1/tasks/\(task)?wait_timeout=60")
            for _ in 0..<10 where try member(status, "status").string == "pending" {
                status = try await shop.get("/api/v1/tasks/\(task)?wait_timeout=60")
            }
            #expect(try member(status, "status").string == "succeeded")
            #expect(try member(status, "task").string == "purchase_orders.recount")
            let row = try member(status, "result")
            #expect(try row.members().first { $0.name == "total" }?.value.text == "3.30")
            let stranger = try await shop.get(
                "/api/v1/tasks/\(task)",
                as: Person(roles: ["user"], company: nil, subject: "00000000-0000-4000-8000-00000000000f"))
            #expect(stranger.status == 404)
            #expect(try await shop.get("/api/v1/tasks/\(order)").status == 404)
        }
    }

    @Test func theWorkersRefusalIsTheAnswer() async throws {
        try await Deployment.run([PurchaseService.definition]) { shop in
            let order = try await spoiltOrder(shop)
            #expect(try await shop.send(.post, "/api/v1/purchase-orders/\(order)/order").status == 200)
            let reply = try await shop.send(
                .post, "/api/v1/purchase-orders/\(order)/recount-wait?wait_timeout=60")
            try #require(reply.status == 409 || reply.status == 202, "\(reply.text)")
            let none = "/api/v1/purchase-orders/11111111-2222-4333-8444-555555555555/recount"
            #expect(try await shop.send(.post, none).status == 404)
            #expect(
                try await shop.send(.post, "/api/v1/purchase-orders/\(order)/recount-wait?wait_timeout=0").status == 422
            )
        }
    }
}
