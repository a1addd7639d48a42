import Cart
import Catalog
import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import Notifications
import Orders
import Payments
import Processor
import Purchase
import ServiceKit
import ServiceTesting
import Synchronization
import Testing
import Users
import Warehouse

@testable import Gateway

/// The gateway's document of all services: with the real ones, and with stand-ins that change, break and go away.
@Suite struct APICatalogueTests {
    private static let services = [
        GatewayService.definition, UsersService.definition, CatalogService.definition, CartService.definition,
        OrdersService.definition, WarehouseService.definition, PaymentsService.definition,
        ProcessorService.definition, NotificationsService.definition, PurchaseService.definition,
    ]

    // MARK: The platform's own

    @Test func everythingInTheDocumentIsThereAndAJudgeFindsItValid() async throws {
        try await Deployment.run(Self.services) { platform in
            let reply = try await platform.send("gateway", .get, "/openapi.json")
            #expect(reply.status == 200)
            let document = try JSONTree(reading: reply.bytes)
            #expect(document["x-vitrine-unavailable"] == [])
            let known = Set((document["tags"]?.elements ?? []).compactMap { $0["name"]?.text })
            #expect(known == Set(RoutingTable.platform.services + ["gateway"]))

            var operations = 0
            for path in document["paths"]?.members ?? [] {
                let target = path.name.replacing(placeholder: "00000000-0000-4000-8000-000000000000")
                for operation in path.value.members {
                    let method = HTTPMethod(operation.name.uppercased())
                    let reply = try await platform.send("gateway", method, target)
                    #expect(![404, 405, 502, 503, 504].contains(reply.status), "\(operation.name) \(path.name)")
                    let isOpen = operation.value["security"] == nil
                    #expect((reply.status == 401) == !isOpen, "\(operation.name) \(path.name): \(reply.status)")
                    let told = operation.value["responses"]?.members.map(\.name) ?? []
                    #expect(told.contains("\(reply.status)"), "\(operation.name) \(path.name): \(reply.status)")
                    operations += 1
                }
            }
            #expect(operations >= 120)
            // What is not for the outside is not told of there.
            for word in ["/internal", "/metrics", "IdentitySigner", "x-vitrine-identity"] {
                #expect(!reply.text.lowercased().contains(word.lowercased()), "\(word)")
            }
            #expect(try await platform.send("gateway", .get, "/docs").text.contains("/docs/page.js"))
            #expect(try await platform.send("gateway", .get, "/docs/orders").status == 200)
            #expect(try await platform.send("gateway", .get, "/docs/nobody").status == 404)
            let part = try await platform.send("gateway", .get, "/docs/orders/openapi.json")
            #expect(part.text.contains("/order-api/orders/{id}") && !part.text.contains("/cart-api"))

            var documents = [("gateway", reply.bytes), ("orders at the gateway", part.bytes)]
            for service in Self.services.dropFirst() {
                documents.append((service.name, try await platform.send(service.name, .get, "/openapi.json").bytes))
            }
            if SpecValidator.isInstalled { try await SpecValidator.judge(documents) }
        }
    }

    // MARK: Services that change, break and go away

    private static let document = #"""
        {"openapi":"3.1.0","info":{"title":"orders","version":"1.0"},"paths":{"/order-api/orders/":{"get":
        {"operationId":"list","tags":["orders"],"responses":{"200":{"description":"WORD"}}}},
        "/internal/secret":{"get":{"operationId":"secret","responses":{"200":{"description":"no"}}}}}}
        """#

    private func running(
        _ orders: StandIn, _ body: (Deployment) async throws -> Void
    ) async throws {
        var settings = ["ORDERS_URL": orders.url, "GATEWAY_OPENAPI_SECONDS": "1"]
        for name in RoutingTable.platform.services where name != "orders" {
            settings[name.uppercased() + "_URL"] = "http://127.0.0.1:1"
        }
        try await Deployment.run([GatewayService.definition], values: settings, body)
    }

    /// Asks until the document is as it should be, for a minute.
    private func eventually(_ gateway: Deployment, _ isRight: (JSONTree) -> Bool) async throws -> JSONTree {
        var document = JSONTree.null
        for _ in 0..<600 {
            let reply = try await gateway.send("gateway", .get, "/openapi.json")
            document = try JSONTree(reading: reply.bytes)
            if isRight(document) { return document }
            try await Task.sleep(nanoseconds: 100_000_000)
        }
        Issue.record("the document never became right: \(String(decoding: document.bytes, as: UTF8.self))")
        return document
    }

    private func absence(_ service: String, in document: JSONTree) -> JSONTree? {
        document["x-vitrine-unavailable"]?.elements.first { $0["service"] == .string(service) }
    }

    @Test func whatHasNotChangedIsNotSentAgainAndWhatHasIsShown() async throws {
        let text = Mutex(Self.document)
        let orders = try await StandIn { request in
            let now = text.withLock { $0 }
            let tag = now.contains("WORD") ? "\"one\"" : "\"two\""
            var response = HTTPResponse.json(bytes: Array(now.utf8))
            if request.headers["if-none-match"] == tag { response = .empty(.notModified) }
            response.headers.add("etag", tag)
            return response
        }
        try await running(orders) { gateway in
            let first = try await gateway.send("gateway", .get, "/openapi.json")
            #expect(first.text.contains(#""/order-api/orders/""#) && !first.text.contains("/internal"))
            #expect(first.text.contains(#""operationId":"orders_list""#))
            let tag = try #require(first.headers["etag"])
            let again = try await gateway.send("gateway", .get, "/openapi.json", headers: [("if-none-match", tag)])
            #expect(again.status == 304)
            #expect(again.bytes.isEmpty)
            // The next look asks with the tag, and keeps what it has.
            for _ in 0..<600 where orders.requests.count < 2 {
                _ = try await gateway.send("gateway", .get, "/openapi.json")
                try await Task.sleep(nanoseconds: 100_000_000)
            }
            #expect(orders.requests.dropFirst().first?.headers["if-none-match"] == "\"one\"")
            let third = try await gateway.send("gateway", .get, "/openapi.json")
            #expect(third.headers["etag"] == tag)
            text.withLock { $0.replace("WORD", with: "changed") }
            _ = try await eventually(gateway) { String(decoding: $0.bytes, as: UTF8.self).contains("changed") }
        }
        await orders.stop()
    }

    @Test func whoIsDownIsNamedAndItsLastDocumentStays() async throws {
        let orders = try await StandIn { _ in .json(bytes: Array(Self.document.utf8)) }
        try await running(orders) { gateway in
            let first = try JSONTree(reading: try await gateway.send("gateway", .get, "/openapi.json").bytes)
            #expect(absence("orders", in: first) == nil)
            #expect(absence("cart", in: first)?["document"] == "none")
            await orders.stop()
            let later = try await eventually(gateway) { absence("orders", in: $0) != nil }
            #expect(absence("orders", in: later)?["document"] == "last known")
            #expect(absence("orders", in: later)?["problem"] == "does not answer")
            #expect(later["paths"]?["/order-api/orders/"] != nil)
        }
    }

    @Test(arguments: [
        "not JSON", "[]", #"{"openapi":"2.0"}"#, String(repeating: "[", count: 5_000),
        #"{"openapi":"3.1.0","paths":7}"#,
    ])
    func aDocumentThatIsNoneHarmsNobody(_ text: String) async throws {
        let orders = try await StandIn { _ in .json(bytes: Array(text.utf8)) }
        try await running(orders) { gateway in
            let reply = try await gateway.send("gateway", .get, "/openapi.json")
            #expect(reply.status == 200)
            let document = try JSONTree(reading: reply.bytes)
            #expect(document["paths"]?["/health/services"] != nil)
            if !text.hasPrefix(#"{"openapi":"3"#) {
                #expect(
                    absence("orders", in: document)?["problem"] == "what it answers is no OpenAPI 3.1 document")
            }
        }
        await orders.stop()
    }
}

/// `openapi-spec-validator` (PyPI), which holds documents against OpenAPI's own schema.
enum SpecValidator {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    private static let program =
        ProcessInfo.processInfo.environment["VITRINE_OPENAPI_VALIDATOR"]
        ?? root + "/.vitrine/venv/bin/openapi-spec-validator"

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    /// Records an issue with what it complains of.
    static func judge(_ documents: [(name: String, text: [UInt8])]) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/vitrine-openapi-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let paths = documents.map { "\(folder)/\($0.name).json" }
        for (path, document) in zip(paths, documents) { try Data(document.text).write(to: URL(filePath: path)) }
        let workers = WorkerPool(threads: 1, name: "judge")
        let result = try await workers.run {
            try Command.run([program, "--schema", "3.1"] + paths, timeoutMilliseconds: 600_000)
        }
        workers.shutdown()
        #expect(result.status == 0, "\(result.output.suffix(4_000))")
    }
}

extension String {
    /// A path template with each of its parameters replaced.
    fileprivate func replacing(placeholder: String) -> String {
        split(separator: "/", omittingEmptySubsequences: false).map { $0.first == "{" ? placeholder : String($0) }
            .joined(separator: "/")
    }
}
