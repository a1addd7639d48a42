internal import PaymentsContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// A payment as it is stored: one row an order, by unique `order_id`.
struct Payment: Sendable {
    let id: String
    let orderID: String
    let userID: String?
    /// The tenant; nil for the platform's own.
    let companyID: String?
    let amount: Money
    var state: PaymentState
    var reason: String?

    var view: PaymentView {
        PaymentView(id: id, orderID: orderID, amount: amount, status: state.rawValue, reason: reason)
    }
}

/// Reads and writes payments.
struct PaymentRepository: Sendable {
    private static let columns = "id, order_id, user_id, company_id, amount, status, reason"

    /// The order's payment, locked until the transaction ends; nil when there is none.
    func lock(_ orderID: String, in transaction: PostgreSQLTransaction) async throws -> Payment? {
        // Serializes facts about one order also while there is no row to lock.
        try await transaction.query(
            "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(hashtextextended(\(orderID), 0))")
        let row = try await transaction.query(
            "SELECT payments",
            """
            SELECT \(unsafeSQL: Self.columns) FROM payments WHERE order_id = \(orderID)::uuid FOR UPDATE
            """
        ).first
        return try row.map(Self.payment)
    }

    func insert(_ payment: Payment, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "INSERT payments",
            """
            INSERT INTO payments (id, order_id, user_id, company_id, amount, status, reason)
            VALUES (\(payment.id)::uuid, \(payment.orderID)::uuid, \(payment.userID), \(payment.companyID)::uuid,
                    \(payment.amount)::numeric, \(payment.state.rawValue), \(payment.reason))
            """)
    }

    func update(_ payment: Payment, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE payments",
            """
            UPDATE payments SET status = \(payment.state.rawValue), reason = \(payment.reason), updated_at = now()
            WHERE id = \(payment.id)::uuid
            """)
    }

    /// The order's payment within a tenant.
    /// - Parameter owner: nil sees every user's.
    static func find(
        orderID: String, owner: String?, companyID: String?, in database: PostgreSQLClient
    ) async throws -> Payment? {
        try await database.query(
            "SELECT payments",
            """
            SELECT \(unsafeSQL: Self.columns) FROM payments
            WHERE order_id = \(orderID)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
              AND (\(owner)::text IS NULL OR user_id = \(owner))
            """
        ).first.map(Self.payment)
    }

    private static func payment(_ row: PostgreSQLRow) throws -> Payment {
        let status: String = try row.get("status")
        guard let state = PaymentState(rawValue: status) else {
            throw PostgreSQLError.decoding("payments.status is unknown")
        }
        return Payment(
            id: try row.get("id"), orderID: try row.get("order_id"), userID: try row.optional("user_id"),
            companyID: try row.optional("company_id"), amount: try row.get("amount"), state: state,
            reason: try row.optional("reason"))
    }
}
