internal import EventLoop
internal import PostgreSQL
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
    let throttle: LoginThrottle
    let telemetry: UsersTelemetry
    /// Refuses on purpose, in drills.
    var faults: FaultSwitches?

    static let accessLifetimeSeconds: Int64 = 900

    /// An access token with what renews it.
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
        let new = NewUser(
            username: username, email: email, fullName: fullName, phone: phone,
            passwordHash: try await hasher.hash(password), role: role)
        let user: User
        do {
            user = try await database.transaction { [users, outbox] transaction in
                let user = try await users.insert(new, in: transaction)
                try await outbox.append(UserRegistered(userID: user.id), in: transaction)
                return user
            }
        } catch let error as PostgreSQLError where error.isUniqueViolation {
            throw Failure.taken
        }
        telemetry.registered.increment()
        telemetry.note(UsersTelemetry.registration, "registered as \(role.rawValue)", userID: user.id)
        return user
    }

    /// Makes the first administrator. Whoever has the name already keeps the rights that he has: a name grants none.
    func ensureAdmin(email: String, password: String) async throws {
        if let user = try await users.find(login: email) {
            if user.role != .admin { telemetry.note(UsersTelemetry.adminNotMade, "the name is taken", userID: user.id) }
            return
        }
        do {
            _ = try await register(
                username: email, email: email, fullName: "Administrator", phone: "", password: password, role: .admin)
        } catch Failure.taken {
            // Another process was faster.
        }
    }

    // MARK: Login

    /// Checks a password: the same answer after the same time whether or not there is such an account.
    /// - Parameter address: the client's.
    /// - Throws: `Failure.badCredentials`, `Failure.throttled`.
    func authenticate(_ login: String, _ password: String, from address: String) async throws -> User {
        if let seconds = throttle.refusal(login: login, address: address) {
            telemetry.noteAttempt(UsersTelemetry.login, .throttled, userID: nil)
            throw Failure.throttled(retryAfterSeconds: seconds)
        }
        // What cannot be a name is looked for nowhere: a NUL would end it early on its way to the database.
        let user = Credentials.isLogin(login) ? try await users.find(login: login) : nil
        let isRight = try await hasher.verify(password, against: user?.passwordHash)
        guard isRight, let user, faults?.hits(.failedLogins) != true else {
            telemetry.noteAttempt(UsersTelemetry.login, .failure, userID: user?.id)
            throw Failure.badCredentials
        }
        telemetry.noteAttempt(UsersTelemetry.login, .success, userID: user.id)
        return user
    }

    // MARK: Tokens

    /// An access token alone, for a client that logs in again when it has run out.
    func issueAccess(to user: User) async throws -> String {
        try await database.transaction { [users] in try await users.touch(user.id, in: $0) }
        return accessToken(user)
    }

    /// An access token, and a refresh token that begins a family.
    func issuePair(to user: User) async throws -> TokenPair {
        let refresh = try await database.transaction { [users, refreshTokens] transaction in
            try await users.touch(user.id, in: transaction)
            return try await refreshTokens.issue(userID: user.id, in: transaction)
        }
        return TokenPair(access: accessToken(user), refresh: refresh, user: user)
    }

    /// Gives a new pair for a refresh token, which is used up. Roles are those that the user has now.
    /// - Throws: `Failure.badToken`; when the token had been used or revoked before, its family has been revoked.
    func refresh(_ token: String) async throws -> TokenPair {
        // Committed also when the token was reused: the family must stay revoked.
        let (redemption, next) = try await database.transaction { [users, refreshTokens] transaction in
            let redemption = try await refreshTokens.redeem(token, in: transaction)
            guard case .accepted(let userID, let family) = redemption else { return (redemption, "") }
            try await users.touch(userID, in: transaction)
            return (redemption, try await refreshTokens.issue(userID: userID, family: family, in: transaction))
        }
        switch redemption {
        case .accepted(let userID, _):
            guard let user = try await users.find(userID) else { throw Failure.badToken }
            telemetry.noteAttempt(UsersTelemetry.refresh, .success, userID: userID)
            return TokenPair(access: accessToken(user), refresh: next, user: user)
        case .reused(let userID):
            telemetry.noteAttempt(UsersTelemetry.reuse, .reused, userID: userID)
            throw Failure.badToken
        case .unknown:
            telemetry.noteAttempt(UsersTelemetry.refresh, .failure, userID: nil)
            throw Failure.badToken
        }
    }

    /// Ends a session: no token of its family is good any more. Does nothing for an unknown token.
    func logOut(_ token: String) async throws {
        let userID = try await refreshTokens.revoke(familyOf: token)
        telemetry.note(
            UsersTelemetry.logout, userID == nil ? "nothing to log out of" : "logged out", userID: userID)
    }

    private func accessToken(_ user: User) -> String {
        let now = Timestamp.now().secondsSince1970
        telemetry.issued.increment()
        return signer.sign(
            AccessTokenClaims(
                subject: user.id, username: user.username, roles: [user.role.rawValue], companyID: user.companyID,
                issuedAt: now, expiresAt: now + Self.accessLifetimeSeconds, tokenID: Identifier.make()))
    }
}
