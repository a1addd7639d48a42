internal import PostgreSQL
internal import ServiceKit

/// I1 as orders see it: what was accepted is decided in time.
struct OrderInvariants: Sendable {
    let database: PostgreSQLClient
    /// How long an order may wait for its outcome: well beyond the saga's own time-out.
    let outcomeSeconds: Int

    /// Orders that wait for too long: all of these are broken, and there are none when all is well.
    @Sendable func undecided(after lsn: Int64, limit: Int) async throws -> [InvariantCheck.Row] {
        try await database.query(
            "SELECT orders",
            """
            SELECT lsn, id FROM orders
            WHERE status = 'CREATED' AND created_at < now() - \(outcomeSeconds)::int * interval '1 second'
              AND lsn > \(fragment: InvariantCheck.start(lsn, in: "orders"))
            ORDER BY lsn LIMIT \(limit)::int
            """
        ).rows.map {
            .init(lsn: try $0.get("lsn"), subject: try $0.get("id"), problem: "the order has no outcome")
        }
    }
}
