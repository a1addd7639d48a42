internal import FoundationEssentials
package import PostgreSQL
internal import Telemetry
internal import Values

/// The transactional outbox: events are rows of the business transaction, with the trace context in the row; the
/// relay publishes them with confirms, in order, at least once.
package struct Outbox: Sendable {
    /// What wakes the relay.
    static let channel = "outbox"

    private let wakeUps = OutboxWakeUps()

    init() {}

    /// Appends an event to the caller's transaction: it is published if and only if the transaction commits.
    package func append(_ event: some Event, in transaction: PostgreSQLTransaction) async throws {
        let body = String(decoding: try JSONEncoder().encode(event), as: UTF8.self)
        var headers: [String: String] = [:]
        Propagation.inject(.current) { headers[$0] = $1 }
        let context = String(decoding: try JSONEncoder().encode(headers), as: UTF8.self)
        let id = Identifier.make()
        guard wakeUps.isDue() else {
            try await transaction.query(
                "INSERT outbox",
                """
                INSERT INTO outbox (id, type, subject, body, headers)
                VALUES (\(id)::uuid, \(type(of: event).type), \(event.subject), \(body), \(context)::jsonb)
                """)
            return
        }
        // One round trip: the row, and the notification that is sent when the transaction commits.
        try await transaction.query(
            "INSERT outbox",
            """
            WITH event AS (
                INSERT INTO outbox (id, type, subject, body, headers)
                VALUES (\(id)::uuid, \(type(of: event).type), \(event.subject), \(body), \(context)::jsonb)
            )
            SELECT pg_notify(\(Self.channel), '')
            """)
    }
}
