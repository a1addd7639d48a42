import HTTP
import HTTPCodec
import Models
import PostgreSQL
import Purchase
import ServiceKit
import ServiceTesting
import TelemetryTesting
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
            var status = try await shop.get("/api/v1/tasks/purchase/\(task)?wait_timeout=60")
            for _ in 0..<10 where try member(status, "status").string == "pending" {
                status = try await shop.get("/api/v1/tasks/purchase/\(task)?wait_timeout=60")
            }
            #expect(try member(status, "status").string == "succeeded")
            #expect(try member(status, "task").string == "purchase_orders.recount")
            let row = try member(status, "result")
            #expect(try row.members().first { $0.name == "total" }?.value.text == "3.30")
            let stranger = try await shop.get(
                "/api/v1/tasks/purchase/\(task)",
                as: Person(roles: ["user"], company: nil, subject: "00000000-0000-4000-8000-00000000000f"))
            #expect(stranger.status == 404)
            // An administrator sees those of their own company, and nobody else's.
            let path = "/api/v1/tasks/purchase/\(task)"
            let theirs = Person(
                roles: ["admin"], company: Person.alpha, subject: "00000000-0000-4000-8000-00000000000e")
            #expect(try await shop.get(path, as: theirs).status == 200)
            for company in [Person.beta, nil] {
                let foreign = Person(
                    roles: ["admin"], company: company, subject: "00000000-0000-4000-8000-00000000000d")
                #expect(try await shop.get(path, as: foreign).status == 404)
            }
            #expect(try await shop.get("/api/v1/tasks/purchase/\(order)").status == 404)
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

    @Test func aWorkerRunsWhatTheServiceLeavesToIt() async throws {
        let values = ["TASKS_IN_SERVICE": "false", "TASKS_VISIBILITY_SECONDS": "30"]
        try await Deployment.run([PurchaseService.definition], values: values) { shop in
            let order = try await spoiltOrder(shop)
            let accepted = try await shop.send(.post, "/api/v1/purchase-orders/\(order)/recount")
            let task = try #require(try member(accepted, "task_id").string)
            #expect(try member(try await shop.get("/api/v1/tasks/purchase/\(task)"), "status").string == "pending")

            let capture = TelemetryCapture(serviceName: "purchase")
            let worker = ServiceHost(
                services: [PurchaseService.definition],
                values: shop.settings.merging(["PURCHASE_WORKER_PORT": "0"]) { $1 }, group: Deployment.group,
                role: .worker
            ) { _ in capture.telemetry }
            try await worker.start()
            do {
                var status = ""
                for _ in 0..<10 where status != "succeeded" {
                    let reply = try await shop.get("/api/v1/tasks/purchase/\(task)?wait_timeout=60")
                    status = try member(reply, "status").string ?? ""
                }
                #expect(status == "succeeded")
                #expect(
                    capture.value(#"task_runs_total{task="purchase_orders.recount",outcome="success"}"#) == 1)
                // It shows its health, and offers nothing of the service.
                let url = try #require(worker.endpoints.first?.url)
                for (path, expected) in [("/health/ready", 200), ("/api/v1/purchase-orders", 404)] {
                    let answer = try await shop.client.send(HTTPRequest(method: .get, target: path), to: url)
                    #expect(answer.status.code == expected)
                    _ = try await answer.body.collect(upTo: 1 << 20)
                }
            } catch {
                await worker.stop()
                throw error
            }
            await worker.stop()
        }
    }
}
