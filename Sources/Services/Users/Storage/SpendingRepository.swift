internal import PostgreSQL
internal import ServiceKit
internal import Values

/// What users have spent, order by order. A monotonic state machine: unknown → spent → refunded, or refunded at once when
/// the refund is heard of first; every step changes the user's total exactly once.
struct SpendingRepository: Sendable {
    /// Adds a completed order to its user's total, unless it counts already or has been refunded.
    func add(_ amount: Money, of userID: String, order orderID: String, in transaction: PostgreSQLTransaction)
        async throws
    {
        try await transaction.query(
            "INSERT spendings",
            """
            WITH spending AS (
                INSERT INTO spendings (id, order_id, user_id, amount)
                VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, \(userID)::uuid, \(amount)::numeric)
                ON CONFLICT (order_id) DO NOTHING RETURNING user_id, amount
            )
            UPDATE users SET total_spent = total_spent + spending.amount, updated_at = now()
            FROM spending WHERE users.id = spending.user_id
            """)
    }

    /// Takes a refunded order out of its user's total.
    func refund(order orderID: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "INSERT spendings",
            """
            INSERT INTO spendings (id, order_id, is_refunded) VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, true)
            ON CONFLICT (order_id) DO NOTHING
            """)
        try await transaction.query(
            "UPDATE spendings",
            """
            WITH spending AS (
                UPDATE spendings SET is_refunded = true, updated_at = now()
                WHERE order_id = \(orderID)::uuid AND NOT is_refunded RETURNING user_id, amount
            )
            UPDATE users SET total_spent = total_spent - spending.amount, updated_at = now()
            FROM spending WHERE users.id = spending.user_id
            """)
    }
}
