internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// Refresh tokens: random, stored as digests, good for one use. The use of a used one ends its whole family, because
/// then two hold what only one was given.
struct RefreshTokenRepository: Sendable {
    let database: PostgreSQLClient

    static let lifetimeSeconds = 7 * 86_400
    private static let randomBytes = 32

    enum Redemption: Sendable {
        /// The token's user, and the family that the next token belongs to.
        case accepted(userID: String, family: String)
        case unknown
        /// It was used or revoked before; the family has now been revoked.
        case reused(userID: String)
    }

    /// Makes a token.
    /// - Parameter family: nil starts one (a login).
    func issue(userID: String, family: String? = nil, in transaction: PostgreSQLTransaction) async throws -> String {
        let token = Crypto.randomToken(bytes: Self.randomBytes)
        try await transaction.query(
            "INSERT refresh_tokens",
            """
            INSERT INTO refresh_tokens (id, user_id, family, token_digest, expires_at)
            VALUES (\(Identifier.make())::uuid, \(userID)::uuid, \(family ?? Identifier.make())::uuid,
                    \(Crypto.sha256Hex(token)), \(Timestamp.now().adding(seconds: Self.lifetimeSeconds))::timestamptz)
            """)
        return token
    }

    /// Uses a token up.
    func redeem(_ token: String, in transaction: PostgreSQLTransaction) async throws -> Redemption {
        let row = try await transaction.query(
            "SELECT refresh_tokens",
            """
            SELECT user_id, family, expires_at > now() AS fresh, used_at IS NOT NULL OR revoked_at IS NOT NULL AS spent
            FROM refresh_tokens WHERE token_digest = \(Crypto.sha256Hex(token)) FOR UPDATE
            """
        ).first
        guard let row else { return .unknown }
        let userID: String = try row.get("user_id")
        let family: String = try row.get("family")
        if try row.get("spent") {
            try await revoke(family: family, in: transaction)
            return .reused(userID: userID)
        }
        guard try row.get("fresh") else { return .unknown }
        try await transaction.query(
            "UPDATE refresh_tokens",
            "UPDATE refresh_tokens SET used_at = now(), updated_at = now() WHERE token_digest = \(Crypto.sha256Hex(token))"
        )
        return .accepted(userID: userID, family: family)
    }

    /// Ends the family of a token, if there is one.
    /// - Returns: whose it was; nil for an unknown token, and for a family that had ended before.
    func revoke(familyOf token: String) async throws -> String? {
        try await database.query(
            "UPDATE refresh_tokens",
            """
            UPDATE refresh_tokens SET revoked_at = now(), updated_at = now()
            WHERE revoked_at IS NULL
              AND family = (SELECT family FROM refresh_tokens WHERE token_digest = \(Crypto.sha256Hex(token)))
            RETURNING user_id
            """
        ).first?.get("user_id")
    }

    /// Forgets tokens that expired a week ago, a bounded number at a time.
    func prune() async throws {
        try await database.query(
            "DELETE refresh_tokens",
            """
            DELETE FROM refresh_tokens WHERE id IN (
                SELECT id FROM refresh_tokens WHERE expires_at < now() - interval '7 days' LIMIT 1000)
            """)
    }

    private func revoke(family: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE refresh_tokens",
            """
            UPDATE refresh_tokens SET revoked_at = now(), updated_at = now()
            WHERE family = \(family)::uuid AND revoked_at IS NULL
            """)
    }
}
