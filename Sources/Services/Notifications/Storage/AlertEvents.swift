internal import FoundationEssentials
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Changes of alerts as Alertmanager told them: each once.
struct AlertEvents: Sendable {
    let database: PostgreSQLClient
    let deliveries: DeliveryRepository

    /// An event as people and drills see it.
    struct Listed: Codable, Sendable {
        let lsn: Int64
        let name: String
        let status: String
        let severity: String
        let job: String
        let labels: [String: String]
        let starts_at: Timestamp
        let ends_at: Timestamp?
        let received_at: Timestamp
        /// Channels with the state of the delivery there: `email SENT, telegram PENDING`; empty when nobody is told.
        let deliveries: String
    }

    /// Writes down what is new, with one message a channel that tells of all of it.
    /// - Parameter channels: where the people on call are told.
    /// - Returns: what was new, and whether each of it is told to somebody.
    func receive(_ message: AlertMessage, channels: [Delivery.Channel]) async throws -> [AlertMessage.Alert] {
        try await database.transaction { transaction in
            let messageID = "alert-\(Identifier.make())"
            var new: [AlertMessage.Alert] = []
            for alert in message.alerts {
                let isTold = alert.severity != AlertLetter.quietSeverity && !channels.isEmpty
                if try await insert(
                    alert, of: message.groupKey, messageID: isTold ? messageID : nil, in: transaction)
                {
                    new.append(alert)
                }
            }
            let told = new.filter { $0.severity != AlertLetter.quietSeverity }
            guard !told.isEmpty else { return new }
            let letter = AlertLetter(alerts: told, truncated: message.truncatedAlerts ?? 0)
            for channel in channels {
                try await deliveries.insert(
                    .init(
                        messageID: messageID, kind: .alert, channel: channel, subject: letter.subject,
                        text: letter.text), in: transaction)
            }
            return new
        }
    }

    private func insert(
        _ alert: AlertMessage.Alert, of groupKey: String, messageID: String?, in transaction: PostgreSQLTransaction
    ) async throws -> Bool {
        let labels = String(decoding: try JSONText.encode(alert.labels), as: UTF8.self)
        return try await !transaction.query(
            "INSERT alert_events",
            """
            INSERT INTO alert_events (id, group_key, fingerprint, status, starts_at, ends_at, name, severity, job, labels,
                                      message_id)
            VALUES (\(Identifier.make())::uuid, \(groupKey), \(alert.fingerprint), \(alert.status.rawValue),
                    \(alert.startsAt), \(alert.endsAt), \(alert.name), \(alert.severity), \(alert.job), \(labels)::jsonb,
                    \(messageID))
            ON CONFLICT (md5(group_key), fingerprint, status, starts_at, ends_at) DO NOTHING RETURNING lsn
            """
        ).rows.isEmpty
    }

    /// - Parameters:
    ///   - name: of the alert; nil for all. - cursor: the `lsn` after which the page starts.
    func list(name: String?, after cursor: Int64, limit: Int) async throws -> [Listed] {
        try await database.query(
            "SELECT alert_events",
            """
            SELECT lsn, name, status, severity, job, labels, starts_at, nullif(ends_at, '0001-01-01Z') AS ends_at, created_at,
                   coalesce((SELECT string_agg(channel || ' ' || state, ', ' ORDER BY channel) FROM deliveries
                             WHERE deliveries.message_id = alert_events.message_id), '') AS deliveries
            FROM alert_events
            WHERE lsn > \(cursor) AND (\(name)::text IS NULL OR name = \(name)::text)
            ORDER BY lsn LIMIT \(limit)
            """
        ).rows.map { row in
            let labels = Data(try row.get("labels", as: String.self).utf8)
            return Listed(
                lsn: try row.get("lsn"), name: try row.get("name"), status: try row.get("status"),
                severity: try row.get("severity"), job: try row.get("job"),
                labels: try JSONDecoder().decode([String: String].self, from: labels),
                starts_at: try row.get("starts_at"),
                ends_at: try row.optional("ends_at"), received_at: try row.get("created_at"),
                deliveries: try row.get("deliveries"))
        }
    }

    /// Forgets what is older than a quarter of a year, a bounded number of rows at a time.
    func prune() async throws {
        try await database.query(
            "DELETE alert_events",
            """
            DELETE FROM alert_events WHERE lsn IN (
                SELECT lsn FROM alert_events WHERE created_at < now() - interval '90 days' ORDER BY lsn LIMIT 1000)
            """)
    }
}
