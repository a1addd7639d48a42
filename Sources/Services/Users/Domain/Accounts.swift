internal import EventLoop
internal import PostgreSQL
internal import Resilience
internal import Security
internal import ServiceKit
internal import Telemetry
internal import UsersContracts
internal import Values

/// Registration, login and tokens, the same for both HTTP shapes.
struct Accounts: Sendable {
    let database: PostgreSQLClient
    let users: UserRepository
    let refreshTokens: RefreshTokenRepository
    let outbox: Outbox
    let hasher: PasswordHasher
    let signer: TokenSigner
    let limiter: RateLimiter
    let telemetry: UsersTelemetry

    static let accessLifetimeSeconds: Int64 = 900

    struct TokenPair: Sendable {
        let access: String
        let refresh: String
        let user: User
    }

    enum Failure: Error, Sendable {
        case taken
        case badCredentials
        case badToken
        case throttled(retryAfterSeconds: Int)
    }

    // MARK: Registration

    /// - Throws: `Failure.taken`.
    func register(
        username: String, email: String?, fullName: String, phone: String, password: String, role: Role = .user
    ) async throws -> User {
        let now = Timestamp.now()
        let user = User(
            id: Identifier.make(), companyID: nil, username: username, email: email, fullName: fullName, phone: phone,
            passwordHash: try await hasher.hash(password), role: role, totalSpent: .zero, createdAt: now,
            updatedAt: now, lsn: 0)
        do {
            try await database.transaction { [users, outbox] transaction in
                try await users.insert(user, in: transaction)
                try await outbox.append(UserRegistered(userID: user.id), in: transaction)
            }
        } catch let error as PostgreSQLError where error.isUniqueViolation {
            throw Failure.taken
        }
        telemetry.registered.increment()
        telemetry.note(UsersTelemetry.registration, "registered", userID: user.id)
        return user
    }

    /// Makes the first administrator; does nothing when the name is taken.
    func ensureAdmin(email: String, password: String) async throws {
        guard try await users.find(login: email) == nil else { return }
        do {
            _ = try await register(
                username: email, email: email, fullName: "Administrator", phone: "", password: password, role: .admin)
        } catch Failure.taken {
            // Another process was faster.
        }
    }

    // MARK: Tokens

    /// - Throws: `Failure.badCredentials`, `Failure.throttled`.
    func logIn(_ login: String, _ password: String, from address: String) async throws -> TokenPair {
        // Hashed, so that the limiter's keys have a fixed size and hold no names.
        let key = Crypto.sha256Hex(login.lowercased() + "\n" + address)
        if case .refused(let seconds) = limiter.admit(key, now: TelemetryClock.system.monotonicNanoseconds()) {
            telemetry.noteAttempt(UsersTelemetry.login, .throttled, userID: nil)
            throw Failure.throttled(retryAfterSeconds: max(1, Int(seconds.rounded(.up))))
        }
        let user = try await users.find(login: login)
        // The same work whether or not there is such a user.
        guard try await hasher.verify(password, against: user?.passwordHash), let user else {
            telemetry.noteAttempt(UsersTelemetry.login, .failure, userID: user?.id)
            throw Failure.badCredentials
        }
        let refresh = try await database.transaction { [refreshTokens] transaction in
            try await refreshTokens.issue(userID: user.id, in: transaction)
        }
        telemetry.noteAttempt(UsersTelemetry.login, .success, userID: user.id)
        return pair(user, refresh)
    }

    /// - Throws: `Failure.badToken`.
    func refresh(_ token: String) async throws -> TokenPair {
        // Committed also when the token was reused: the family must stay revoked.
        let (redemption, next) = try await database.transaction { [refreshTokens] transaction in
            let redemption = try await refreshTokens.redeem(token, in: transaction)
            guard case .accepted(let userID, let family) = redemption else { return (redemption, "") }
            return (redemption, try await refreshTokens.issue(userID: userID, family: family, in: transaction))
        }
        switch redemption {
        case .accepted(let userID, _):
            guard let user = try await users.find(userID) else { throw Failure.badToken }
            telemetry.noteAttempt(UsersTelemetry.refresh, .success, userID: userID)
            return pair(user, next)
        case .reused(let userID):
            telemetry.noteAttempt(UsersTelemetry.reuse, .reused, userID: userID)
            throw Failure.badToken
        case .unknown:
            telemetry.noteAttempt(UsersTelemetry.refresh, .failure, userID: nil)
            throw Failure.badToken
        }
    }

    func logOut(_ token: String) async throws {
        try await refreshTokens.revoke(familyOf: token)
        telemetry.note(UsersTelemetry.logout, "logged out", userID: nil)
    }

    private func pair(_ user: User, _ refresh: String) -> TokenPair {
        let now = Timestamp.now().secondsSince1970
        let claims = AccessTokenClaims(
            subject: user.id, username: user.username, roles: [user.role.rawValue], companyID: user.companyID,
            issuedAt: now, expiresAt: now + Self.accessLifetimeSeconds, tokenID: Identifier.make())
        telemetry.issued.increment()
        return TokenPair(access: signer.sign(claims), refresh: refresh, user: user)
    }
}
