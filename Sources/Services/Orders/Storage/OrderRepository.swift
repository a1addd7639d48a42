internal import FoundationEssentials
internal import OrdersContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// An order as it is stored.
struct Order: Sendable {
    let id: String
    let userID: String
    let companyID: String?
    let items: [OrderItem]
    let total: Money
    var status: OrderStatus
    var reason: String?
    let createdAt: Timestamp
    var updatedAt: Timestamp
    var requestDigest: String?

    var view: OrderView {
        OrderView(
            id: id, userID: userID, items: items, total: total, status: status, createdAt: createdAt,
            updatedAt: updatedAt)
    }
}

/// Whose orders a statement may see: every statement says it.
struct OrderScope: Sendable {
    /// Nil sees every user's.
    let userID: String?
    let companyID: String?
}

/// Reads and writes orders.
struct OrderRepository: Sendable {
    /// Inserts an order; a repeated idempotency key inserts nothing.
    /// - Returns: false when the user has used the key before.
    func insert(
        _ order: Order, idempotencyKey: String?, in transaction: PostgreSQLTransaction
    ) async throws -> Bool {
        let items = String(decoding: try JSONEncoder().encode(order.items), as: UTF8.self)
        return try await transaction.query(
            "INSERT orders",
            """
            INSERT INTO orders (id, company_id, user_id, items, total, status, idempotency_key, request_digest,
                                created_at, updated_at, status_changed_at)
            VALUES (\(order.id)::uuid, \(order.companyID)::uuid, \(order.userID), \(items)::jsonb,
                    \(order.total)::numeric, \(order.status.rawValue), \(idempotencyKey), \(order.requestDigest),
                    \(order.createdAt)::timestamptz, \(order.createdAt)::timestamptz, \(order.createdAt)::timestamptz)
            ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
            """
        ).count > 0
    }

    func find(idempotencyKey: String, userID: String, in database: PostgreSQLClient) async throws -> Order? {
        try await database.query(
            "SELECT orders",
            """
            SELECT \(unsafeSQL: Self.columns) FROM orders
            WHERE user_id = \(userID) AND idempotency_key = \(idempotencyKey)
            """
        ).first.map(Self.order)
    }

    func find(_ id: String, companyID: String?, in database: PostgreSQLClient) async throws -> Order? {
        try await database.query(
            "SELECT orders",
            """
            SELECT \(unsafeSQL: Self.columns) FROM orders
            WHERE id = \(id)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).first.map(Self.order)
    }

    /// The newest orders first.
    func list(_ scope: OrderScope, limit: Int, in database: PostgreSQLClient) async throws -> [Order] {
        try await database.query(
            "SELECT orders",
            """
            SELECT \(unsafeSQL: Self.columns) FROM orders
            WHERE (\(scope.userID)::text IS NULL OR user_id = \(scope.userID))
              AND company_id IS NOT DISTINCT FROM \(scope.companyID)::uuid
            ORDER BY lsn DESC LIMIT \(limit)
            """
        ).rows.map(Self.order)
    }

    /// An order, locked until the transaction ends. The platform's own events carry no tenant: the id is enough.
    func lock(_ id: String, in transaction: PostgreSQLTransaction) async throws -> Order? {
        try await transaction.query(
            "SELECT orders", "SELECT \(unsafeSQL: Self.columns) FROM orders WHERE id = \(id)::uuid FOR UPDATE"
        ).first.map(Self.order)
    }

    /// Orders that have stood in a status long enough, locked; other workers skip them.
    func lockDue(
        _ status: OrderStatus, afterMilliseconds: Int, limit: Int, in transaction: PostgreSQLTransaction
    ) async throws -> [Order] {
        try await transaction.query(
            "SELECT orders",
            """
            SELECT \(unsafeSQL: Self.columns) FROM orders
            WHERE status = \(status.rawValue)
              AND status_changed_at <= now() - \(afterMilliseconds)::int * interval '1 millisecond'
            ORDER BY status_changed_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
            """
        ).rows.map(Self.order)
    }

    func update(_ order: Order, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE orders",
            """
            UPDATE orders SET status = \(order.status.rawValue), reason = \(order.reason),
                              updated_at = \(order.updatedAt)::timestamptz, status_changed_at = now()
            WHERE id = \(order.id)::uuid
            """)
    }

    private static let columns =
        "id, user_id, company_id, items, total, status, reason, created_at, updated_at, request_digest"

    private static func order(_ row: PostgreSQLRow) throws -> Order {
        let items: String = try row.get("items")
        let status: String = try row.get("status")
        guard let status = OrderStatus(rawValue: status) else {
            throw PostgreSQLError.decoding("orders.status is unknown")
        }
        return Order(
            id: try row.get("id"), userID: try row.get("user_id"), companyID: try row.optional("company_id"),
            items: try JSONDecoder().decode([OrderItem].self, from: Data(items.utf8)), total: try row.get("total"),
            status: status, reason: try row.optional("reason"), createdAt: try row.get("created_at"),
            updatedAt: try row.get("updated_at"), requestDigest: try row.optional("request_digest"))
    }
}
