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
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing
import Values
import Warehouse
import WarehouseContracts

/// The six services that carry an order, in one process on real servers: each with a fresh database, all with one fresh
/// broker, the telemetry of each kept in memory.
struct ShopFloor {
    private let deployment: Deployment
    private let broker: AMQPClient

    static let all = [
        CatalogService.definition, WarehouseService.definition, PaymentsService.definition,
        ProcessorService.definition, OrdersService.definition, CartService.definition,
    ]

    /// - Parameters: services: what runs. - values: settings beside the usual ones; orders never ship by default.
    static func run(
        _ services: [ServiceDefinition] = all, values: [String: String] = [:], _ body: (ShopFloor) async throws -> Void
    ) async throws {
        let usual = ["ORDERS_SHIP_AFTER_MILLISECONDS": "86400000", "ORDERS_DELIVER_AFTER_MILLISECONDS": "86400000"]
        try await Deployment.run(services, values: usual.merging(values) { $1 }) { deployment in
            let broker = AMQPClient(
                configuration: .init(url: deployment.settings["RABBITMQ_URL"] ?? ""), group: Deployment.group,
                telemetry: .disabled())
            do {
                try await broker.start()
                try await body(ShopFloor(deployment: deployment, broker: broker))
            } catch {
                await broker.stop(timeoutSeconds: 2)
                throw error
            }
            await broker.stop(timeoutSeconds: 2)
        }
    }

    func capture(_ service: String) throws -> TelemetryCapture { try deployment.capture(service) }

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
        return Person(id: id, authorization: "Bearer " + Deployment.tokens.sign(claims))
    }

    static let admin = person(["admin"])

    // MARK: Requests

    /// One request, its whole answer.
    func send(
        _ service: String, _ method: HTTPMethod, _ target: String, as person: Person?, json: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> Reply {
        var all = headers.map { ($0.key, $0.value) }
        if let person { all.append(("authorization", person.authorization)) }
        return try await deployment.send(service, method, target, headers: all, json: json)
    }

    /// A new product, whose stock the warehouse knows.
    func product(_ price: String, stock: Int, by admin: Person = ShopFloor.admin) async throws -> ProductView {
        let product: ProductView = try await send(
            "catalog", .post, "/api/products/", as: admin,
            json: #"{"name":"Kettle","category":"Kitchen","price":\#(price),"stock_count":\#(stock)}"#
        ).decode()
        if deployment.captures["warehouse"] != nil {
            let isKnown = try await eventually {
                try await send("warehouse", .get, "/internal/stock/\(product.productID)", as: admin).status == 200
            }
            try #require(isKnown)
        }
        return product
    }

    /// Asks for an order past the cart.
    func place(
        _ product: ProductView, _ quantity: Int, as person: Person, price: Money? = nil, key: String? = nil
    ) async throws -> Reply {
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
        try await eventually { try await order(id).status == status }
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
        try await deployment.database(service).query("SELECT n", sql).first?.get("n") ?? 0
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
            try await eventually {
                try await number(
                    service,
                    "SELECT count(*) AS n FROM inbox WHERE message_id = \(id) AND consumer LIKE \(service + "-%")") > 0
            })
    }
}
