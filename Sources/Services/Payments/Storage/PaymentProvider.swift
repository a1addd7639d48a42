internal import PostgreSQL
internal import ServiceKit
internal import Values

/// The simulated provider: books of its own, in transactions of their own, as if it were another company. What it did
/// stays done when the caller's transaction rolls back.
///
/// Its one rule: an amount above `PAYMENTS_DECLINE_ABOVE` is declined as `limit_exceeded`.
struct PaymentProvider: Sendable {
    let database: PostgreSQLClient
    let declineAbove: Money
    /// Declines on purpose, in drills.
    var faults: FaultSwitches?

    /// Performs an operation once for each order; again, it gives the first answer.
    /// - Parameter amount: of the order.
    func perform(
        _ operation: PaymentState.Operation, orderID: String, amount: Money
    ) async throws -> ProviderAccount.Entry {
        let limit = faults?.hits(.declines) == true ? Money.zero : declineAbove
        return try await database.transaction { transaction in
            // One call at a time for each order; another key than that of the caller, who waits for the answer.
            try await transaction.query(
                "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(hashtextextended(\(orderID), 1))")
            var account = ProviderAccount(try await Self.entries(orderID, in: transaction))
            if let known = account.entries[operation] { return known }
            let entry = account.perform(operation, amount: amount, limit: limit)
            try await Self.insert(entry, orderID, in: transaction)
            return entry
        }
    }

    private static func entries(
        _ orderID: String, in transaction: PostgreSQLTransaction
    ) async throws -> [ProviderAccount.Entry] {
        try await transaction.query(
            "SELECT provider_ledger",
            "SELECT operation, amount, accepted, reason FROM provider_ledger WHERE order_id = \(orderID)::uuid"
        ).rows.map { row in
            let name: String = try row.get("operation")
            guard let operation = PaymentState.Operation(rawValue: name) else {
                throw PostgreSQLError.decoding("provider_ledger.operation is unknown")
            }
            let isAccepted: Bool = try row.get("accepted")
            let reason: String? = try row.optional("reason")
            return ProviderAccount.Entry(
                operation: operation, amount: try row.get("amount"),
                refusal: isAccepted ? nil : reason.flatMap(ProviderAccount.Refusal.init) ?? .limitExceeded)
        }
    }

    private static func insert(
        _ entry: ProviderAccount.Entry, _ orderID: String, in transaction: PostgreSQLTransaction
    ) async throws {
        try await transaction.query(
            "INSERT provider_ledger",
            """
            INSERT INTO provider_ledger (id, order_id, operation, amount, accepted, reason)
            VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, \(entry.operation.rawValue),
                    \(entry.amount)::numeric, \(entry.refusal == nil), \(entry.refusal?.rawValue))
            """)
    }
}
