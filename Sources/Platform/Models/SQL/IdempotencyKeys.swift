internal import HTTPCodec
internal import PostgreSQL
internal import Security
internal import ServiceKit

/// Makes a POST that is sent twice create one row: the key is written in the transaction that creates, and a second
/// request with it is answered with what the first one made.
struct IdempotencyKeys: Sendable {
    static let header = "idempotency-key"
    static let replayedHeader = "idempotency-replayed"
    private static let maxBytes = 255
    /// How long a key is remembered.
    static let lifetimeHours = 24
    private static let deletedAtOnce = 1_000

    /// One use of a key.
    struct Use: Sendable {
        /// Whose key, and for what: nobody's key means anything to another.
        let scope: String
        let key: String
        /// Of the body: the same key for something else is a mistake.
        let fingerprint: String
    }

    /// - Throws: `HTTPError` 422 for a key that is empty, too long or not visible ASCII.
    static func use(_ key: String?, _ caller: Caller, _ route: String, _ body: [UInt8]) throws -> Use? {
        guard let key else { return nil }
        guard (1...maxBytes).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw HTTPError.invalid(
                ["header", "Idempotency-Key"], "1 to \(maxBytes) characters of ASCII without spaces",
                type: "string_pattern")
        }
        let company = if case .company(let id?) = caller.tenant { id.description } else { "-" }
        return Use(
            scope: "\(company) \(caller.identity.userID) POST \(route)", key: key,
            fingerprint: Crypto.base64URLEncode(Crypto.sha256(body)))
    }

    /// Takes the key for a new row.
    /// - Returns: nil when the key is new, the id of what it made otherwise.
    /// - Throws: `HTTPError` 422 when it was used for another body, 409 while its first request runs.
    static func take(_ use: Use, for id: ID, in transaction: PostgreSQLTransaction) async throws -> ID? {
        do {
            let taken = try await transaction.query(
                "INSERT idempotency_keys",
                """
                INSERT INTO idempotency_keys (scope, key, fingerprint, resource_id)
                VALUES (\(use.scope), \(use.key), \(use.fingerprint), \(id)::uuid)
                ON CONFLICT (scope, key) DO NOTHING
                """)
            if taken.count > 0 { return nil }
        } catch PostgreSQLError.server("55P03", _, _) {
            throw HTTPError(.conflict, "idempotency.in_progress", "A request with this Idempotency-Key is under way")
        }
        let row = try await transaction.query(
            "SELECT idempotency_keys",
            "SELECT fingerprint, resource_id FROM idempotency_keys WHERE scope = \(use.scope) AND key = \(use.key)"
        ).first
        guard let row, let first = ID(try row.get("resource_id", as: String.self)) else {
            throw HTTPError(.conflict, "idempotency.in_progress", "A request with this Idempotency-Key is under way")
        }
        guard try row.get("fingerprint", as: String.self) == use.fingerprint else {
            throw HTTPError.invalid(
                ["header", "Idempotency-Key"], "This key was used for another body", type: "idempotency_key")
        }
        return first
    }

    /// Forgets keys that nobody will send again, a batch at a time.
    static func forgetOld(_ database: PostgreSQLClient) async throws {
        while true {
            let deleted = try await database.query(
                "DELETE idempotency_keys",
                """
                DELETE FROM idempotency_keys WHERE (scope, key) IN (
                    SELECT scope, key FROM idempotency_keys
                    WHERE created_at < now() - make_interval(hours => \(Self.lifetimeHours)::int)
                    LIMIT \(Self.deletedAtOnce))
                """)
            if deleted.count < Self.deletedAtOnce { return }
        }
    }
}
