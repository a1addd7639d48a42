import AMQP
import Cart
import Catalog
import CatalogContracts
import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import Orders
import OrdersContracts
import Payments
import PaymentsContracts
import PostgreSQL
import Processor
import Security
import ServiceKit
import Telemetry
import TelemetryTesting
import Testing
import Values
import Warehouse
import WarehouseContracts

/// The six services that carry an order, in one process on real servers: each with a fresh database, all with one fresh
/// broker, the telemetry of each kept in memory.
struct ShopFloor {
    let host: ServiceHost
    let captures: [String: TelemetryCapture]
    private let client: HTTPClient
    private let broker: AMQPClient

    static let all = [
        CatalogService.definition, WarehouseService.definition, PaymentsService.definition,
        ProcessorService.definition, OrdersService.definition, CartService.definition,
    ]
    private static let group = EventLoopGroup(count: 2)
    private static let secrets = [
        "JWT_SECRET": "a test secret of at least thirty-two bytes",
        "IDENTITY_SECRET": "another test secret of at least thirty-two",
    ]

    /// - Parameters: services: what runs. - values: settings beside the usual ones; orders never ship by default.
    static func run(
        _ services: [ServiceDefinition] = all, values: [String: String] = [:], _ body: (ShopFloor) async throws -> Void
    ) async throws {
        var settings = secrets
        settings["RABBITMQ_URL"] = try await TestServers.rabbitmq()
        settings["REDIS_URL"] = try await TestServers.redis()
        settings["DRAIN_TIMEOUT_SECONDS"] = "1"
        settings["DATABASE_POOL_SIZE"] = "3"
        settings["ORDERS_SHIP_AFTER_MILLISECONDS"] = "86400000"
        settings["ORDERS_DELIVER_AFTER_MILLISECONDS"] = "86400000"
        for service in services {
            settings[service.name.uppercased() + "_PORT"] = "0"
            guard service.database != nil else { continue }
            settings[service.name.uppercased() + "_DATABASE_URL"] = try await TestServers.postgresDatabase()
        }
        settings.merge(values) { $1 }
        let captures = Dictionary(
            uniqueKeysWithValues: services.map { ($0.name, TelemetryCapture(serviceName: $0.name)) })
        let host = ServiceHost(services: services, of: services, values: settings, group: group) { name in
            captures[name]?.telemetry ?? .disabled()
        }
        try await host.start()
        let client = HTTPClient(group: group, telemetry: nil)
        let broker = AMQPClient(
            configuration: .init(url: settings["RABBITMQ_URL"] ?? ""), group: group, telemetry: .disabled())
        let floor = ShopFloor(host: host, captures: captures, client: client, broker: broker)
        do {
            try await broker.start()
            try await body(floor)
        } catch {
            await floor.stop()
            throw error
        }
        await floor.stop()
    }

    private func stop() async {
        await broker.stop(timeoutSeconds: 2)
        await host.stop()
        await client.shutdown()
    }

    func capture(_ service: String) throws -> TelemetryCapture { try #require(captures[service]) }

    // MARK: People

    struct Person: Sendable {
        let id: String
        let authorization: String
    }

    static func person(_ roles: [String] = ["user"], company: String? = nil, id: String = Identifier.make()) -> Person {
        let now = Timestamp.now().secondsSince1970
        let claims = AccessTokenClaims(
            subject: id, username: "mira", roles: roles, companyID: company, issuedAt: now - 10, expiresAt: now + 900,
            tokenID: Identifier.make())
        return Person(id: id, authorization: "Bearer " + TokenSigner(secret: secrets["JWT_SECRET"] ?? "").sign(claims))
    }

    static let admin = person(["admin"])

    // MARK: Requests

    struct Answer: Sendable {
        let status: Int
        let text: String

        func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
            try JSONDecoder().decode(type, from: Data(text.utf8))
        }
    }

    /// One request, its whole answer.
    func send(
        _ service: String, _ method: HTTPMethod, _ target: String, as person: Person?, json: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, target: target)
        if let person { request.headers.add("authorization", person.authorization) }
        for (name, value) in headers { request.headers.add(name, value) }
        if let json {
            request.headers.add("content-type", "application/json")
            request.body = .bytes(Array(json.utf8))
        }
        let url = try #require(host.endpoints.first { $0.name == service }).url
        let response = try await client.send(request, to: url, timeoutMilliseconds: 20_000)
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return Answer(status: response.status.code, text: String(decoding: bytes, as: UTF8.self))
    }

    /// A new product, whose stock the warehouse knows.
    func product(_ price: String, stock: Int, by admin: Person = ShopFloor.admin) async throws -> ProductView {
        let product: ProductView = try await send(
            "catalog", .post, "/api/products/", as: admin,
            json: #"{"name":"Kettle","category":"Kitchen","price":\#(price),"stock_count":\#(stock)}"#
        ).decode()
        if host.application("warehouse") != nil {
            let isKnown = try await holds {
                try await send("warehouse", .get, "/internal/stock/\(product.productID)", as: admin).status == 200
            }
            try #require(isKnown)
        }
        return product
    }

    /// Asks for an order past the cart.
    func place(
        _ product: ProductView, _ quantity: Int, as person: Person, price: Money? = nil, key: String? = nil
    ) async throws -> Answer {
        let price = price ?? product.price
        let body = CreateOrder(
            items: [
                OrderItem(productID: product.productID, name: product.name, price: price, quantity: quantity)
            ], total: price.multiplied(by: quantity) ?? .maximum)
        return try await send(
            "orders", .post, "/order-api/orders/", as: person,
            json: String(decoding: try JSONEncoder().encode(body), as: UTF8.self),
            headers: key.map { ["idempotency-key": $0] } ?? [:])
    }

    func order(_ id: String, as person: Person = ShopFloor.admin) async throws -> OrderView {
        try await send("orders", .get, "/order-api/orders/\(id)", as: person).decode()
    }

    /// Waits until the order has this status.
    func reaches(_ id: String, _ status: OrderStatus) async throws -> Bool {
        try await holds { try await order(id).status == status }
    }

    func payment(_ orderID: String, as person: Person = ShopFloor.admin) async throws -> PaymentView? {
        let answer = try await send("payments", .get, "/api/v1/payments?order_id=\(orderID)", as: person)
        return answer.status == 200 ? try answer.decode() : nil
    }

    func stock(_ product: ProductView) async throws -> StockLevelView {
        try await send("warehouse", .get, "/internal/stock/\(product.productID)", as: Self.admin).decode()
    }

    // MARK: Books

    /// One number out of a service's database: a statement that selects `n`.
    func number(_ service: String, _ sql: SQL) async throws -> Int {
        let database = try #require(host.application(service)).database
        return try await database.query("SELECT n", sql).first?.get("n") ?? 0
    }

    /// What the provider has taken for an order and not given back, in cents, by its own books.
    func charged(_ orderID: String) async throws -> Int {
        try await number(
            "payments",
            """
            SELECT (100 * coalesce(sum(
                CASE operation WHEN 'capture' THEN amount WHEN 'refund' THEN -amount ELSE 0 END), 0))::bigint AS n
            FROM provider_ledger WHERE order_id = \(orderID)::uuid AND accepted
            """)
    }

    /// What the provider still holds for an order, in cents, by its own books.
    func held(_ orderID: String) async throws -> Int {
        try await number(
            "payments",
            """
            SELECT (100 * coalesce(sum(
                CASE operation WHEN 'authorize' THEN amount WHEN 'refund' THEN 0 ELSE -amount END), 0))::bigint AS n
            FROM provider_ledger WHERE order_id = \(orderID)::uuid AND accepted
            """)
    }

    /// Products whose movements do not add up to what is on hand.
    func unbalancedProducts() async throws -> Int {
        try await number(
            "warehouse",
            """
            SELECT count(*) AS n FROM stock_levels l WHERE on_hand <> (
                SELECT coalesce(sum(quantity), 0) FROM stock_movements m WHERE m.product_id = l.product_id)
            """)
    }

    // MARK: Events

    /// Publishes an event as its service would, and says it so often.
    func publish(_ event: some Event, messageID: String = Identifier.make(), times: Int = 1) async throws {
        var message = AMQPMessage(messageID: messageID, body: Array(try JSONEncoder().encode(event)))
        message.type = type(of: event).type
        message.correlationID = event.subject
        for _ in 0..<times {
            try await broker.publish(message, exchange: "orders", routingKey: type(of: event).type)
        }
    }

    /// Publishes an event, and waits until a service has handled it.
    func tell(_ service: String, _ event: some Event, times: Int = 1) async throws {
        let id = Identifier.make()
        try await publish(event, messageID: id, times: times)
        try #require(
            try await holds {
                try await number(
                    service,
                    "SELECT count(*) AS n FROM inbox WHERE message_id = \(id) AND consumer LIKE \(service + "-%")") > 0
            })
    }

    /// Waits until something holds, for at most so long.
    func holds(seconds: Int = 20, _ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<(seconds * 50) {
            if try await condition() { return true }
            try await Task.sleep(nanoseconds: 20_000_000)
        }
        return false
    }
}
