internal import PostgreSQL
internal import ServiceKit
internal import Telemetry
internal import Values

/// Every event of the platform, appended and never changed.
struct AuditLog: Sendable {
    let database: PostgreSQLClient

    struct Entry: Sendable {
        let lsn: Int64
        let type: String
        let subject: String
        let messageID: String
        let traceID: String?
        let createdAt: Timestamp
        /// JSON text.
        let body: String
    }

    /// - Throws: `PoisonMessage` for an event that no JSON column can hold.
    func append(_ event: RawEvent, in transaction: PostgreSQLTransaction) async throws {
        let trace = TelemetryContext.current.span.map { "\($0.traceID)" }
        do {
            try await transaction.query(
                "INSERT audit_log",
                """
                INSERT INTO audit_log (id, message_id, type, subject, trace_id, body)
                VALUES (\(Identifier.make())::uuid, \(event.messageID), \(event.type), \(event.subject), \(trace),
                        \(event.json)::jsonb)
                ON CONFLICT (message_id) DO NOTHING
                """)
        } catch PostgreSQLError.server(let code, _, _) where code.hasPrefix("22") {
            throw PoisonMessage("its body is not JSON that can be stored (SQLSTATE \(code))")
        }
    }

    /// - Parameters:
    ///   - subject: an order's or a user's id. - cursor: the `lsn` after which the page starts.
    func list(subject: String, after cursor: Int64, limit: Int) async throws -> [Entry] {
        try await database.query(
            "SELECT audit_log",
            """
            SELECT lsn, type, subject, message_id, trace_id, created_at, body FROM audit_log
            WHERE subject = \(subject) AND lsn > \(cursor) ORDER BY lsn LIMIT \(limit)
            """
        ).rows.map { row in
            Entry(
                lsn: try row.get("lsn"), type: try row.get("type"), subject: try row.get("subject"),
                messageID: try row.get("message_id"), traceID: try row.optional("trace_id"),
                createdAt: try row.get("created_at"), body: try row.get("body"))
        }
    }
}
