internal import PostgreSQL
internal import ServiceKit
internal import Values

/// A message to a customer, as it is stored before it is sent.
struct Delivery: Sendable {
    let id: String
    let messageID: String
    let userID: String
    let subject: String
    let text: String
    let attempts: Int
    let createdAt: Timestamp
}

/// Reads and writes deliveries.
struct DeliveryRepository: Sendable {
    let database: PostgreSQLClient

    /// Notes a message to be sent; the same event gives one message.
    func insert(
        messageID: String, userID: String, subject: String, text: String, in transaction: PostgreSQLTransaction
    ) async throws {
        try await transaction.query(
            "INSERT deliveries",
            """
            INSERT INTO deliveries (id, message_id, channel, user_id, subject, text, state)
            VALUES (\(Identifier.make())::uuid, \(messageID), 'email', \(userID), \(subject), \(text), 'PENDING')
            ON CONFLICT (message_id, channel) DO NOTHING
            """)
    }

    /// Takes one message that is due, and puts it off so that nobody else takes it meanwhile.
    func take(leaseSeconds: Int) async throws -> Delivery? {
        try await database.query(
            "UPDATE deliveries",
            """
            UPDATE deliveries SET attempts = attempts + 1, updated_at = now(),
                                  next_attempt_at = now() + \(leaseSeconds)::int * interval '1 second'
            WHERE id = (SELECT id FROM deliveries WHERE state = 'PENDING' AND next_attempt_at <= now()
                        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, message_id, user_id, subject, text, attempts, created_at
            """
        ).first.map { row in
            Delivery(
                id: try row.get("id"), messageID: try row.get("message_id"), userID: try row.get("user_id"),
                subject: try row.get("subject"), text: try row.get("text"), attempts: try row.get("attempts"),
                createdAt: try row.get("created_at"))
        }
    }

    func settle(_ id: String, _ state: String) async throws {
        try await database.query(
            "UPDATE deliveries",
            "UPDATE deliveries SET state = \(state), updated_at = now() WHERE id = \(id)::uuid")
    }

    func postpone(_ id: String, milliseconds: Int) async throws {
        try await database.query(
            "UPDATE deliveries",
            """
            UPDATE deliveries SET next_attempt_at = now() + \(milliseconds)::int * interval '1 millisecond'
            WHERE id = \(id)::uuid
            """)
    }

    func countPending() async throws -> Int {
        try await database.query(
            "SELECT deliveries", "SELECT count(*) AS pending FROM deliveries WHERE state = 'PENDING'"
        ).first?.get("pending") ?? 0
    }
}
