import EventLoop
import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL
import Telemetry
import Testing

/// Processes of the platform killed at the worst moments, on real servers.
@Suite(.serialized) struct CrashTests {
    private struct Order: Decodable {
        let id: String
        let status: String
    }

    private struct Stock: Decodable {
        let on_hand: Int
        let reserved: Int
    }

    private struct Product: Decodable { let product_id: String }

    @Test(.timeLimit(.minutes(3)))
    func ordersAndProcessorKilledBetweenTheirStepsLoseNothingAndChargeOnce() async throws {
        try await withFolder { folder in
            let group = EventLoopGroup(count: 1)
            let http = HTTPClient(group: group, telemetry: nil)
            let platform = try await Processes(folder: folder)
            // Killed after the order was committed, before its event was published.
            var orders = try platform.start(["orders"], crashAt: "outbox.before_publish")
            // Killed with the decision made, before it was committed.
            var processor = try platform.start(["processor"], crashAt: "processor.before_commit")
            let others = try platform.start(
                ["users", "catalog", "warehouse", "cart", "payments", "notifications", "gateway"])
            let caller = Caller(url: platform.url("gateway"), http: http)

            let admin = try await eventually("signing in") {
                try await caller.token(Processes.admin, Processes.password)
            }
            let product = try await eventually("a product") {
                try await caller.send(
                    .post, "/api/products/", token: admin,
                    json: #"{"name":"Kettle","category":"Kitchen","price":19.90,"stock_count":10}"#
                ).decode(Product.self)
            }
            _ = try await eventually("stock") { try await stock(caller, admin, product.product_id) }

            // The answer may get lost with the process: the same key asks again.
            let body = """
                {"items":[{"product_id":"\(product.product_id)","name":"Kettle","price":19.90,"quantity":3}],"total":59.70}
                """
            func place() async throws -> Order? {
                let answer = try await caller.send(
                    .post, "/order-api/orders/", token: admin, json: body, headers: ["idempotency-key": "once"])
                return answer.status == 200 ? try answer.decode(Order.self) : nil
            }
            _ = try? await place()
            _ = try await eventually("the end of orders") { orders.isRunning ? nil : true }
            orders = try platform.start(["orders"])
            let order = try await eventually("the order") { try await place() }
            _ = try await eventually("the end of the processor") { processor.isRunning ? nil : true }
            processor = try platform.start(["processor"])

            let end = try await eventually("the order's end") {
                let now = try await caller.send(.get, "/order-api/orders/\(order.id)", token: admin).decode(Order.self)
                return now.status == "DELIVERED" || now.status == "CANCELLED" ? now : nil
            }
            #expect(end.status == "DELIVERED")
            let level = try await eventually("stock booked out") {
                let level = try await stock(caller, admin, product.product_id)
                return level?.reserved == 0 ? level : nil
            }
            #expect(level.on_hand == 7)

            #expect(try await platform.count("order_db", "SELECT count(*) AS n FROM orders") == 1)
            let captures = "SELECT count(*) AS n FROM provider_ledger WHERE operation = 'capture' AND amount = 59.70"
            #expect(try await platform.count("payment_db", captures) == 1)
            #expect(try await platform.count("payment_db", "SELECT count(*) AS n FROM provider_ledger") == 2)
            let decided = "SELECT count(*) AS n FROM processing_records WHERE state = 'COMPLETED'"
            #expect(try await platform.count("processor_db", decided) == 1)
            let sums = """
                SELECT count(*) AS n FROM stock_levels l
                WHERE on_hand <> (SELECT sum(quantity) FROM stock_movements m WHERE m.product_id = l.product_id)
                """
            #expect(try await platform.count("wms_db", sums) == 0)
            for service in [orders, processor, others] { service.stop() }
            await http.shutdown()
            await platform.stop()
            group.shutdown()
        }
    }

    private func stock(_ caller: Caller, _ token: String, _ product: String) async throws -> Stock? {
        struct Page: Decodable { let items: [Stock] }
        let path = "/api/v1/stock-levels?product_id=\(product)"
        return try await caller.send(.get, path, token: token).decode(Page.self).items.first
    }
}

/// Processes of the platform on servers of their own, each service on a free port.
private final class Processes: Sendable {
    static let admin = "admin@example.com"
    static let password = "Adm1nistrator"

    private let folder: String
    private let settings: [String: String]
    private let postgres: PostgresServer
    private let redis: RedisServer
    private let group = EventLoopGroup(count: 1)

    init(folder: String) async throws {
        self.folder = folder
        postgres = try PostgresServer(folder: folder + "/postgres", port: Ports.free(), durability: .none)
        redis = try RedisServer(folder: folder + "/redis", port: Ports.free())
        var settings = [
            "DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "RABBITMQ_URL": try await TestServers.rabbitmq(),
            "JWT_SECRET": String(repeating: "j", count: 32), "IDENTITY_SECRET": String(repeating: "i", count: 32),
            "USERS_ADMIN_EMAIL": Self.admin, "USERS_ADMIN_PASSWORD": Self.password, "USERS_BCRYPT_COST": "4",
            "ORDERS_SHIP_AFTER_MILLISECONDS": "100", "ORDERS_DELIVER_AFTER_MILLISECONDS": "100",
            "NOTIFICATIONS_MAILBOX": folder + "/mailbox",
        ]
        for name in [
            "gateway", "users", "catalog", "cart", "orders", "warehouse", "payments", "processor", "notifications",
        ] {
            let port = try Ports.free()
            settings[name.uppercased() + "_PORT"] = "\(port)"
            settings[name.uppercased() + "_URL"] = "http://127.0.0.1:\(port)"
        }
        self.settings = settings
    }

    func url(_ service: String) -> String { settings[service.uppercased() + "_URL"] ?? "" }

    func start(_ services: [String], crashAt point: String = "") throws -> ChildProcess {
        var environment = settings
        environment["VITRINE_CRASH_AT"] = point
        return try ChildProcess(
            name: services[0], [Package.executable, "run"] + services, environment: environment, folder: folder,
            logPath: "\(folder)/\(services[0]).log")
    }

    func count(_ database: String, _ sql: String) async throws -> Int {
        let client = PostgreSQLClient(
            configuration: .init(url: postgres.url + database), group: group, telemetry: .disabled())
        let n: Int = try await client.query("SELECT count", "\(unsafeSQL: sql)").first?.get("n") ?? -1
        await client.stop()
        return n
    }

    func stop() async {
        redis.stop()
        postgres.stop()
        group.shutdown()
    }
}
