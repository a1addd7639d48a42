internal import HTTP
internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Values

/// The shape under `/api/users`: envelopes with `success` and `message`.
struct MarimoRoutes: Sendable {
    let accounts: Accounts

    private static let maxListed = 200

    func declare(_ routes: RouteGroup) {
        routes.post("/register", .open, register).about("Registers a user")
            .takes(Registration.self).answers(UserAnswer.self, 201, "registered").refuses(409)
        routes.post("/login", .open, logIn).about("Logs in: a pair of tokens")
            .takes(Login.self).answers(TokenAnswer.self).refuses(401, 429)
        routes.post("/refresh", .open, refresh).about("A new pair of tokens for a refresh token, which ends")
            .takes(Token.self).answers(TokenAnswer.self).refuses(401)
        routes.post("/logout", .open, logOut).about("Ends a refresh token")
            .takes(Token.self).answers(PlainAnswer.self)
        routes.get("/profile", .user, profile).about("You").answers(UserAnswer.self).refuses(404)
        routes.get("/list", .roles(["admin", "manager"]), list).about("Users of your company")
            .query("cursor", ["type": "integer", "minimum": 0])
            .query("limit", ["type": "integer", "minimum": 1, "maximum": .integer(Self.maxListed), "default": 50])
            .answers(ListAnswer.self)
        routes.post("/admin/assign-role", .admin, assignRole).about("Gives a user another role")
            .takes(Assignment.self).answers(PlainAnswer.self).refuses(404)
    }

    // MARK: Shapes

    struct UserBody: Codable {
        let id: String
        let email: String
        let name: String
        let role: String
        let created_at: Timestamp
        let updated_at: Timestamp

        init(_ user: User) {
            id = user.id
            email = user.email ?? user.username
            name = user.fullName
            role = user.role.rawValue
            created_at = user.createdAt
            updated_at = user.updatedAt
        }
    }

    private struct UserAnswer: Codable {
        var success = true
        let message: String
        let user: UserBody
    }

    private struct TokenAnswer: Codable {
        var success = true
        let message: String
        let access_token: String
        let refresh_token: String
        let expires_in: Int64
        var token_type = "Bearer"
        let user: UserBody
    }

    private struct PlainAnswer: Codable {
        var success = true
        let message: String
    }

    private struct ListAnswer: Codable {
        var success = true
        let message: String
        let users: [UserBody]
        let next_cursor: Int64?
    }

    private struct Registration: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["email", "password", "name"]
        let email: String
        let password: String
        let name: String
    }

    private struct Login: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["email", "password"]
        let email: String
        let password: String
    }

    private struct Token: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["refresh_token"]
        let refresh_token: String
    }

    private struct Assignment: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["user_id", "role"]
        let user_id: String
        let role: String
    }

    /// This shape tells every mistake in a body as a plain 400.
    private func body<T: Decodable & Sendable>(_ request: Request) async throws -> T {
        do {
            return try await request.json()
        } catch var error as HTTPError where error.status == .unprocessableContent {
            error.status = .badRequest
            // The message names the field; this shape knows no lists.
            error.fields = []
            throw error
        }
    }

    // MARK: Handlers

    @Sendable private func register(_ request: Request) async throws -> HTTPResponse {
        let body: Registration = try await body(request)
        guard Credentials.isEmail(body.email) else {
            throw HTTPError(.badRequest, "email.invalid", "the e-mail address is not valid")
        }
        if let weakness = Credentials.weakness(ofPassword: body.password) {
            throw HTTPError(.badRequest, "password.weak", weakness)
        }
        guard Credentials.isPlainText(body.name), !body.name.isEmpty else {
            throw HTTPError(.badRequest, "name.invalid", "the name must be 1 to 200 bytes of plain text")
        }
        do {
            let user = try await accounts.register(
                username: body.email, email: body.email, fullName: body.name, phone: "", password: body.password)
            return try .json(
                UserAnswer(message: "registered", user: UserBody(user)), status: .created)
        } catch Accounts.Failure.taken {
            throw HTTPError(.conflict, "email.taken", "this e-mail address is registered already")
        }
    }

    @Sendable private func logIn(_ request: Request) async throws -> HTTPResponse {
        let body: Login = try await body(request)
        do {
            let user = try await accounts.authenticate(body.email, body.password, from: request.clientAddress)
            return try answer(try await accounts.issuePair(to: user), "logged in")
        } catch let failure as Accounts.Failure {
            throw failure.httpError(badCredentials: "wrong e-mail address or password")
        }
    }

    @Sendable private func refresh(_ request: Request) async throws -> HTTPResponse {
        let body: Token = try await body(request)
        do {
            return try answer(try await accounts.refresh(body.refresh_token), "refreshed")
        } catch let failure as Accounts.Failure {
            throw failure.httpError(badCredentials: "the refresh token is not valid")
        }
    }

    private func answer(_ pair: Accounts.TokenPair, _ message: String) throws -> HTTPResponse {
        try .json(
            TokenAnswer(
                message: message, access_token: pair.access, refresh_token: pair.refresh,
                expires_in: Accounts.accessLifetimeSeconds, user: UserBody(pair.user)))
    }

    @Sendable private func logOut(_ request: Request) async throws -> HTTPResponse {
        let body: Token = try await body(request)
        try await accounts.logOut(body.refresh_token)
        return try .json(PlainAnswer(message: "logged out"))
    }

    @Sendable private func profile(_ request: Request) async throws -> HTTPResponse {
        try .json(UserAnswer(message: "profile", user: UserBody(try await accounts.user(of: request))))
    }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        let limit = try request.query("limit", default: 50, in: 1...Self.maxListed)
        let cursor = try request.query("cursor", default: 0, in: 0...Int.max)
        let users = try await accounts.users.list(
            companyID: try request.caller().companyID, after: Int64(cursor), limit: limit)
        return try .json(
            ListAnswer(
                message: "users", users: users.map(UserBody.init),
                next_cursor: users.count == limit ? users.last?.lsn : nil))
    }

    @Sendable private func assignRole(_ request: Request) async throws -> HTTPResponse {
        let body: Assignment = try await body(request)
        guard let role = Role(rawValue: body.role) else {
            let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw HTTPError(.badRequest, "role.unknown", "the role must be one of \(known)")
        }
        let caller = try request.caller()
        guard let id = Identifier.normalized(body.user_id),
            try await accounts.users.assign(role, to: id, companyID: caller.companyID)
        else { throw HTTPError(.notFound, "user.unknown", "there is no such user") }
        accounts.telemetry.note(
            UsersTelemetry.roleAssigned, "role \(role.rawValue) assigned", userID: id, actorID: caller.userID)
        return try .json(PlainAnswer(message: "role assigned"))
    }
}

extension Accounts.Failure {
    func httpError(badCredentials message: String) -> HTTPError {
        switch self {
        case .taken: return HTTPError(.conflict, "user.taken", "this name is taken")
        case .badCredentials, .badToken:
            var error = HTTPError(.unauthorized, "auth.refused", message)
            error.headers = [("www-authenticate", "Bearer")]
            return error
        case .throttled(let seconds):
            var error = HTTPError(.tooManyRequests, "auth.throttled", "too many attempts: wait \(seconds) s")
            error.headers = [("retry-after", "\(seconds)")]
            return error
        }
    }
}

extension Accounts {
    /// The stored user who calls.
    /// - Throws: 404 when the token is older than the end of its user, or a service's own.
    func user(of request: Request) async throws -> User {
        guard let id = Identifier.normalized(try request.caller().userID), let user = try await users.find(id) else {
            throw HTTPError(.notFound, "user.unknown", "there is no such user")
        }
        return user
    }
}

extension Request {
    /// The client's address: what the gateway says of it (it lets no client say so), or the peer itself.
    var clientAddress: String { header("x-forwarded-for") ?? http.peerAddress }
}
