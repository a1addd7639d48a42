import HTTPCodec
import PostgreSQL
import Security
import ServiceKit
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing

@testable import Users

/// The shape under `/api/users`.
@Suite struct MarimoRoutesTests {
    private struct Pair: Decodable {
        let success: Bool
        let access_token: String
        let refresh_token: String
        let expires_in: Int
        let token_type: String
    }

    private struct Person: Decodable {
        struct User: Decodable {
            let id: String
            let email: String
            let name: String
            let role: String
        }
        let success: Bool
        let user: User
    }

    private static let ann = #"{"email":"ann@example.org","password":"Secret12","name":"Ann"}"#
    private static let annLogin = #"{"email":"ann@example.org","password":"Secret12"}"#

    private func running<T>(_ values: [String: String] = [:], _ body: (Deployment) async throws -> T) async throws -> T
    {
        try await Deployment.run([UsersService.definition], values: values, body)
    }

    private func post(
        _ deployment: Deployment, _ path: String, _ json: String, token: String? = nil
    ) async throws -> Reply {
        try await deployment.send(
            "users", .post, "/api/users" + path, headers: token.map { [("authorization", "Bearer \($0)")] } ?? [],
            json: json)
    }

    private func refresh(_ deployment: Deployment, _ token: String) async throws -> Reply {
        try await post(deployment, "/refresh", #"{"refresh_token":"\#(token)"}"#)
    }

    @Test func whoRegistersCanLogInAndSeeTheProfile() async throws {
        try await running { users in
            let registered = try await post(users, "/register", Self.ann)
            #expect(registered.status == 201)
            #expect(try registered.keys() == ["success", "message", "user"])
            #expect(try registered.keys("user") == ["id", "email", "name", "role", "created_at", "updated_at"])
            let person: Person = try registered.decode()
            #expect(person.success && person.user.email == "ann@example.org" && person.user.name == "Ann")
            #expect(person.user.role == "user")

            let login = try await post(users, "/login", #"{"email":"ANN@example.org","password":"Secret12"}"#)
            #expect(login.status == 200)
            #expect(
                try login.keys() == [
                    "success", "message", "access_token", "refresh_token", "expires_in", "token_type", "user",
                ])
            let pair: Pair = try login.decode()
            #expect(pair.success && pair.expires_in == 900 && pair.token_type == "Bearer")

            let profile = try await users.send(
                "users", .get, "/api/users/profile", headers: [("authorization", "Bearer \(pair.access_token)")])
            #expect(profile.status == 200)
            #expect(try profile.decode(Person.self).user.id == person.user.id)
            let capture = try users.capture("users")
            #expect(capture.value("users_registered_total") == 1)
            #expect(capture.value("tokens_issued_total") == 1)
            #expect(capture.value(#"auth_attempts_total{status="success"}"#) == 1)
        }
    }

    @Test func aMistakeIsToldAsOneMessage() async throws {
        try await running { users in
            let cases: [(String, String)] = [
                (#"{"email":"ann","password":"Secret12","name":"Ann"}"#, "the e-mail address is not valid"),
                (
                    #"{"email":"a@example.org","password":"secret","name":"Ann"}"#,
                    "the password must have at least 8 characters"
                ),
                (#"{"email":"a@example.org","password":"Secret12"}"#, "name: Field required"),
                (
                    #"{"email":"a@example.org","password":"Secret12","name":"Ann","role":"admin"}"#,
                    "role: Extra inputs are not permitted"
                ),
                (
                    #"{"email":"a@example.org","password":"Secret12","name":""}"#,
                    "the name must be 1 to 200 bytes of plain text"
                ),
            ]
            for (body, message) in cases {
                let reply = try await post(users, "/register", body)
                #expect(reply.status == 400)
                #expect(reply.text == #"{"success":false,"message":"\#(message)"}"#)
            }
            for body in ["", "{", #"{"email":"a@b.cc","email":"x@y.zz","password":"Secret12","name":"A"}"#] {
                let reply = try await post(users, "/register", body)
                #expect(reply.status == 400)
                #expect(try reply.keys() == ["success", "message"])
            }
        }
    }

    @Test func anAddressIsTakenInWhateverCase() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let again = try await post(
                users, "/register", #"{"email":"Ann@Example.org","password":"Other123","name":"Eve"}"#)
            #expect(again.status == 409)
            #expect(again.text == #"{"success":false,"message":"this e-mail address is registered already"}"#)
        }
    }

    @Test func ofManyAtOnceOneGetsTheAddress() async throws {
        try await running { users in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await self.post(users, "/register", Self.ann).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 201 }.count == 1)
            #expect(statuses.filter { $0 == 409 }.count == 7)
        }
    }

    @Test func unknownAccountsCannotBeToldFromKnownOnes() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let known = try await post(users, "/login", #"{"email":"ann@example.org","password":"Wrong123"}"#)
            for body in [
                #"{"email":"eve@example.org","password":"Wrong123"}"#, #"{"email":"","password":""}"#,
                #"{"email":"ann@example.org","password":"\#(String(repeating: "Aa1", count: 100))"}"#,
            ] {
                let reply = try await post(users, "/login", body)
                #expect(reply.status == 401)
                #expect(reply.text == known.text)
            }
            #expect(known.status == 401)
            #expect(known.text == #"{"success":false,"message":"wrong e-mail address or password"}"#)
        }
    }

    // MARK: Refresh tokens

    @Test func refreshReuseRevokesTheFamily() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let first: Pair = try await post(users, "/login", Self.annLogin).decode()
            let elsewhere: Pair = try await post(users, "/login", Self.annLogin).decode()
            let second: Pair = try await refresh(users, first.refresh_token).decode()
            #expect(second.refresh_token != first.refresh_token)
            let third: Pair = try await refresh(users, second.refresh_token).decode()

            let reused = try await refresh(users, first.refresh_token)
            #expect(reused.status == 401)
            #expect(reused.text == #"{"success":false,"message":"the refresh token is not valid"}"#)
            // Whoever holds the newest one may be the thief.
            #expect(try await refresh(users, third.refresh_token).status == 401)
            #expect(try await refresh(users, elsewhere.refresh_token).status == 200)
            let capture = try users.capture("users")
            #expect(capture.value(#"auth_attempts_total{status="reused"}"#) == 2)
            #expect(!capture.logLines(event: UsersTelemetry.reuse).isEmpty)
        }
    }

    @Test func ofTwoUsesAtOnceOneSucceedsAtMost() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let pair: Pair = try await post(users, "/login", Self.annLogin).decode()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 { group.addTask { try await self.refresh(users, pair.refresh_token).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 1)
        }
    }

    @Test func refreshTokensAreStoredAsDigestsAndExpire() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let pair: Pair = try await post(users, "/login", Self.annLogin).decode()
            // 256 bits in base64url.
            #expect(pair.refresh_token.utf8.count == 43)
            let database = try users.database("users")
            let stored = try await database.query(
                "SELECT refresh_tokens",
                "SELECT count(*) AS n FROM refresh_tokens t WHERE t::text LIKE '%' || \(pair.refresh_token) || '%'")
            #expect(try stored.first?.get("n") == 0)
            try await database.query(
                "UPDATE refresh_tokens", "UPDATE refresh_tokens SET expires_at = now() - interval '1 second'")
            #expect(try await refresh(users, pair.refresh_token).status == 401)
            for token in ["", "nonsense", String(repeating: "A", count: 43)] {
                #expect(try await refresh(users, token).status == 401)
            }
        }
    }

    @Test func logoutEndsTheSessionAndMayBeRepeated() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let pair: Pair = try await post(users, "/login", Self.annLogin).decode()
            for token in [pair.refresh_token, pair.refresh_token, "unknown"] {
                let reply = try await post(users, "/logout", #"{"refresh_token":"\#(token)"}"#)
                #expect(reply.status == 200)
                #expect(reply.text == #"{"message":"logged out","success":true}"#)
            }
            #expect(try await refresh(users, pair.refresh_token).status == 401)
        }
    }

    // MARK: Roles

    @Test func onlyAnAdministratorGivesRoles() async throws {
        let settings = ["USERS_ADMIN_EMAIL": "root@example.org", "USERS_ADMIN_PASSWORD": "Adm1nistrator"]
        try await running(settings) { users in
            let ann: Person = try await post(users, "/register", Self.ann).decode()
            let user: Pair = try await post(users, "/login", Self.annLogin).decode()
            let admin: Pair = try await post(
                users, "/login", #"{"email":"root@example.org","password":"Adm1nistrator"}"#
            ).decode()
            func assign(_ id: String, _ role: String, _ token: String?) async throws -> Reply {
                try await post(
                    users, "/admin/assign-role", #"{"user_id":"\#(id)","role":"\#(role)"}"#, token: token)
            }
            func list(_ token: String) async throws -> Reply {
                try await users.send(
                    "users", .get, "/api/users/list?limit=1", headers: [("authorization", "Bearer \(token)")])
            }
            #expect(try await assign(ann.user.id, "admin", nil).status == 401)
            let denied = try await assign(ann.user.id, "admin", user.access_token)
            #expect(denied.status == 403)
            #expect(try denied.keys() == ["success", "message"])
            #expect(try await list(user.access_token).status == 403)

            #expect(try await assign(ann.user.id, "emperor", admin.access_token).status == 400)
            #expect(try await assign("nobody", "manager", admin.access_token).status == 404)
            #expect(
                try await assign(
                    "00000000-0000-4000-8000-000000000009", "manager", admin.access_token
                ).status == 404)
            #expect(try await assign(ann.user.id, "manager", admin.access_token).status == 200)

            // The next token has the new role; the list comes in pages.
            let manager: Pair = try await refresh(users, user.refresh_token).decode()
            struct Page: Decodable {
                let users: [Person.User]
                let next_cursor: Int?
            }
            let page: Page = try await list(manager.access_token).decode()
            #expect(page.users.count == 1)
            let next: Page = try await users.send(
                "users", .get, "/api/users/list?cursor=\(page.next_cursor ?? -1)",
                headers: [("authorization", "Bearer \(manager.access_token)")]
            ).decode()
            #expect(next.users.map(\.role) == ["manager"])
            #expect(next.next_cursor == nil)
        }
    }

    @Test func anAdministratorsNameGrantsNothing() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let accounts = Accounts(
                database: try users.database("users"), users: UserRepository(database: try users.database("users")),
                refreshTokens: RefreshTokenRepository(database: try users.database("users")),
                outbox: try #require(users.host.application("users")).outbox,
                hasher: .init(cost: 4, workers: try #require(users.host.application("users")).workers),
                signer: Deployment.tokens, throttle: LoginThrottle(attemptsPerMinute: 30),
                telemetry: UsersTelemetry(try users.capture("users").telemetry))
            try await accounts.ensureAdmin(email: "ann@example.org", password: "Adm1nistrator")
            let user = try #require(try await accounts.users.find(login: "ann@example.org"))
            #expect(user.role == .user)
            #expect(try users.capture("users").logLines(event: UsersTelemetry.adminNotMade).count == 1)
        }
    }

    // MARK: Attackers

    @Test func guessingIsSlowedDownWhetherOrNotTheAccountExists() async throws {
        try await running(["USERS_LOGINS_PER_MINUTE": "2"]) { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            var refusals: [String] = []
            for email in ["ann@example.org", "eve@example.org"] {
                for _ in 0..<2 {
                    let wrong = #"{"email":"\#(email)","password":"Wrong123"}"#
                    #expect(try await post(users, "/login", wrong).status == 401)
                }
                // Even the right password has to wait.
                let reply = try await post(users, "/login", #"{"email":"\#(email)","password":"Secret12"}"#)
                #expect(reply.status == 429)
                #expect(Int(reply.headers["retry-after"] ?? "") ?? 0 >= 1)
                refusals.append(try #require(reply.text.split(separator: ":").first.map(String.init)))
            }
            #expect(refusals[0] == refusals[1])
            #expect(try users.capture("users").value(#"auth_attempts_total{status="throttled"}"#) == 2)
        }
    }

    @Test func noLogLineAndNoSpanNamesAnybody() async throws {
        try await running { users in
            #expect(try await post(users, "/register", Self.ann).status == 201)
            let pair: Pair = try await post(users, "/login", Self.annLogin).decode()
            _ = try await post(users, "/login", #"{"email":"ann@example.org","password":"Wrong123"}"#)
            _ = try await refresh(users, pair.refresh_token)
            let capture = try users.capture("users")
            let told = capture.logLines.joined() + capture.spans.map { "\($0.attributes)" }.joined() + capture.text
            for secret in ["ann@example.org", "Secret12", "Wrong123", pair.refresh_token, pair.access_token, "\"Ann\""]
            {
                #expect(!told.contains(secret))
            }
            #expect(capture.logLines(event: UsersTelemetry.login).count == 2)
        }
    }
}
