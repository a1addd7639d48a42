internal import PostgreSQL
internal import ServiceKit

/// I4 as users see it: what a user has spent is the sum of the user's completed orders, each booked once.
struct SpendingInvariants: Sendable {
    let database: PostgreSQLClient

    /// A user may have many orders: only so many users at each look.
    static let rows = 50

    @Sendable func totals(after lsn: Int64, limit: Int) async throws -> [InvariantCheck.Row] {
        try await database.query(
            "SELECT users",
            """
            SELECT lsn, id,
                   CASE WHEN total_spent <> (SELECT coalesce(sum(amount), 0) FROM spendings
                                             WHERE spendings.user_id = spenders.id AND NOT is_refunded)
                        THEN 'what the user has spent is not the sum of the orders' END AS problem
            FROM (SELECT lsn, id, total_spent FROM users
                  WHERE lsn > \(fragment: InvariantCheck.start(lsn, in: "users"))
                  ORDER BY lsn LIMIT \(limit)::int) AS spenders
            ORDER BY lsn
            """
        ).rows.map { .init(lsn: try $0.get("lsn"), subject: try $0.get("id"), problem: try $0.optional("problem")) }
    }
}
