internal import PostgreSQL
internal import ServiceKit

/// I2: what was taken is the order's total or nothing, and the provider's books say the same as ours. The provider is
/// asked before our row is written, so that what our row says must be in its books already.
struct PaymentInvariants: Sendable {
    let database: PostgreSQLClient

    @Sendable func charges(after lsn: Int64, limit: Int) async throws -> [InvariantCheck.Row] {
        try await database.query(
            "SELECT payments",
            """
            SELECT payments.lsn, payments.order_id,
                   CASE WHEN status IN ('CAPTURED', 'REFUNDED') AND taken.amount IS DISTINCT FROM payments.amount
                        THEN 'what was taken is not the total of the order'
                        WHEN status = 'REFUNDED' AND given_back.amount IS DISTINCT FROM taken.amount
                        THEN 'what was given back is not what was taken'
                        WHEN status IN ('DECLINED', 'VOIDED') AND taken.amount IS NOT NULL
                             AND given_back.amount IS NULL
                        THEN 'money was taken for an order that must not be charged'
                   END AS problem
            FROM (SELECT lsn, order_id, status, amount FROM payments
                  WHERE lsn > \(fragment: InvariantCheck.start(lsn, in: "payments"))
                  ORDER BY lsn LIMIT \(limit)::int) AS payments
            LEFT JOIN provider_ledger AS taken
                   ON taken.order_id = payments.order_id AND taken.operation = 'capture' AND taken.accepted
            LEFT JOIN provider_ledger AS given_back
                   ON given_back.order_id = payments.order_id AND given_back.operation = 'refund' AND given_back.accepted
            ORDER BY payments.lsn
            """
        ).rows.map {
            .init(lsn: try $0.get("lsn"), subject: try $0.get("order_id"), problem: try $0.optional("problem"))
        }
    }
}
