internal import PostgreSQL
internal import ServiceKit

/// I1 as the processor sees it: every order is decided by its deadline, and completed only when both sides agreed.
struct ProcessingInvariants: Sendable {
    let database: PostgreSQLClient

    /// How far beyond its deadline a decision may come.
    private static let graceSeconds = 60

    @Sendable func decisions(after lsn: Int64, limit: Int) async throws -> [InvariantCheck.Row] {
        try await database.query(
            "SELECT processing_records",
            """
            SELECT lsn, order_id,
                   CASE WHEN state IN ('PENDING', 'PROCESSING')
                             AND deadline < now() - \(Self.graceSeconds)::int * interval '1 second'
                        THEN 'the order is undecided beyond its deadline'
                        WHEN state = 'COMPLETED' AND (stock IS DISTINCT FROM 'ACCEPTED'
                                                      OR payment IS DISTINCT FROM 'ACCEPTED')
                        THEN 'the order is completed although stock or payment did not agree'
                   END AS problem
            FROM processing_records WHERE lsn > \(fragment: InvariantCheck.start(lsn, in: "processing_records"))
            ORDER BY lsn LIMIT \(limit)::int
            """
        ).rows.map {
            .init(lsn: try $0.get("lsn"), subject: try $0.get("order_id"), problem: try $0.optional("problem"))
        }
    }
}
