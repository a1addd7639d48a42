internal import FoundationEssentials
internal import PostgreSQL
internal import ServiceKit
internal import Telemetry
internal import Values

/// Reads and writes deliveries.
struct DeliveryRepository: Sendable {
    let database: PostgreSQLClient

    /// A delivery as an administrator sees it: without the text.
    struct Listed: Codable, Sendable {
        let lsn: Int64
        let id: String
        let message_id: String
        let kind: String
        let channel: String
        let user_id: String
        let order_id: String
        let subject: String
        let state: String
        let attempts: Int
        let last_error: String?
        let created_at: Timestamp
        let sent_at: Timestamp?
    }

    /// A message that is to be sent.
    struct New: Sendable {
        let messageID: String
        var kind = Delivery.Kind.order
        var channel = Delivery.Channel.email
        var userID = ""
        var orderID = ""
        let subject: String
        let text: String
    }

    /// Writes down a message that is to be sent; the same event gives one message a channel.
    func insert(_ new: New, in transaction: PostgreSQLTransaction) async throws {
        var carried: [String: String] = [:]
        Propagation.inject(.current) { carried[$0] = $1 }
        let context = String(decoding: try JSONText.encode(carried), as: UTF8.self)
        try await transaction.query(
            "INSERT deliveries",
            """
            INSERT INTO deliveries (id, message_id, kind, channel, user_id, order_id, subject, text, state, context)
            VALUES (\(Identifier.make())::uuid, \(new.messageID), \(new.kind.rawValue), \(new.channel.rawValue),
                    \(new.userID), \(new.orderID), \(new.subject), \(new.text), 'PENDING', \(context)::jsonb)
            ON CONFLICT (message_id, channel) DO NOTHING
            """)
    }

    /// Takes messages that are due, and puts them off so that nobody else takes them meanwhile. Whoever dies with one in
    /// hand leaves it to the next taker.
    func take(upTo limit: Int, leaseSeconds: Int) async throws -> [Delivery] {
        try await database.query(
            "UPDATE deliveries",
            """
            UPDATE deliveries SET attempts = attempts + 1, updated_at = now(),
                                  next_attempt_at = now() + \(leaseSeconds)::int * interval '1 second'
            WHERE id IN (SELECT id FROM deliveries WHERE state = 'PENDING' AND next_attempt_at <= now()
                         ORDER BY next_attempt_at LIMIT \(limit)::int FOR UPDATE SKIP LOCKED)
            RETURNING id, kind, channel, message_id, user_id, subject, text, attempts, created_at, context
            """
        ).rows.map { row in
            let headers = try JSONDecoder().decode(
                [String: String].self, from: Data(try row.get("context", as: String.self).utf8))
            return Delivery(
                id: try row.get("id"), kind: Delivery.Kind(rawValue: try row.get("kind")) ?? .order,
                channel: Delivery.Channel(rawValue: try row.get("channel")) ?? .email,
                messageID: try row.get("message_id"), userID: try row.get("user_id"),
                subject: try row.get("subject"), text: try row.get("text"), attempts: try row.get("attempts"),
                createdAt: try row.get("created_at"), context: Propagation.extract { headers[$0] })
        }
    }

    /// Ends a delivery.
    func settle(_ id: String, _ state: Delivery.State, _ problem: Delivery.Problem? = nil) async throws {
        try await database.query(
            "UPDATE deliveries",
            """
            UPDATE deliveries SET state = \(state.rawValue), last_error = \(problem?.rawValue), updated_at = now(),
                                  sent_at = CASE WHEN \(state == .sent) THEN now() END
            WHERE id = \(id)::uuid AND state = 'PENDING'
            """)
    }

    func postpone(_ id: String, milliseconds: Int, _ problem: Delivery.Problem) async throws {
        try await database.query(
            "UPDATE deliveries",
            """
            UPDATE deliveries SET next_attempt_at = now() + \(milliseconds)::int * interval '1 millisecond',
                                  last_error = \(problem.rawValue), updated_at = now()
            WHERE id = \(id)::uuid AND state = 'PENDING'
            """)
    }

    func countPending() async throws -> Int {
        try await database.query(
            "SELECT deliveries", "SELECT count(*) AS pending FROM deliveries WHERE state = 'PENDING'"
        ).first?.get("pending") ?? 0
    }

    /// - Parameters: nil for all. - cursor: the `lsn` after which the page starts.
    func list(state: Delivery.State?, orderID: String?, after cursor: Int64, limit: Int) async throws -> [Listed] {
        try await database.query(
            "SELECT deliveries",
            """
            SELECT lsn, id, message_id, kind, channel, user_id, order_id, subject, state, attempts, last_error, created_at,
                   sent_at
            FROM deliveries
            WHERE lsn > \(cursor) AND (\(state?.rawValue)::text IS NULL OR state = \(state?.rawValue)::text)
              AND (\(orderID)::text IS NULL OR order_id = \(orderID)::text)
            ORDER BY lsn LIMIT \(limit)
            """
        ).rows.map { row in
            Listed(
                lsn: try row.get("lsn"), id: try row.get("id"), message_id: try row.get("message_id"),
                kind: try row.get("kind"), channel: try row.get("channel"), user_id: try row.get("user_id"),
                order_id: try row.get("order_id"),
                subject: try row.get("subject"), state: try row.get("state"), attempts: try row.get("attempts"),
                last_error: try row.optional("last_error"), created_at: try row.get("created_at"),
                sent_at: try row.optional("sent_at"))
        }
    }
}
