internal import PostgreSQL
internal import ServiceKit
internal import Values

/// The simulated provider: a ledger of its own, idempotent by order and operation as real providers are by key, so
/// that a call that is repeated after a crash never moves money twice.
///
/// Its one rule: an amount above `PAYMENTS_DECLINE_ABOVE` is declined as `limit_exceeded`.
struct PaymentProvider: Sendable {
    enum Answer: Hashable, Sendable {
        case accepted
        case declined(reason: String)
    }

    let database: PostgreSQLClient
    let declineAbove: Money

    /// Performs an operation once for each order; again, it gives the first answer.
    func perform(
        _ operation: PaymentState.Operation, orderID: String, amount: Money
    ) async throws -> Answer {
        let isDeclined = operation == .authorize && amount > declineAbove
        // A transaction of its own: what the provider did stays done when the caller's transaction rolls back.
        try await database.query(
            "INSERT provider_ledger",
            """
            INSERT INTO provider_ledger (id, order_id, operation, amount, accepted)
            VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, \(operation.rawValue), \(amount)::numeric,
                    \(!isDeclined))
            ON CONFLICT (order_id, operation) DO NOTHING
            """)
        let row = try await database.query(
            "SELECT provider_ledger",
            """
            SELECT accepted FROM provider_ledger
            WHERE order_id = \(orderID)::uuid AND operation = \(operation.rawValue)
            """
        ).first
        return try row?.get("accepted") ?? false ? .accepted : .declined(reason: "limit_exceeded")
    }
}
