internal import CartContracts
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import ServiceKit
internal import Values

/// The shape under `/user-api`: plain objects, errors as `{"detail": …}`.
struct ShopRoutes: Sendable {
    let accounts: Accounts
    let purchases: Purchases

    func declare(_ routes: RouteGroup) {
        routes.post("/users/register", .open, register).about("Registers a user")
            .takes(Registration.self).answers(UserBody.self)
        routes.post("/token", .open, token).about("An access token (OAuth 2.0 password flow)")
            .takesForm(["username", "password"]).answers(TokenBody.self).refuses(401, 429)
        routes.get("/users/me", .user, me).about("You").answers(UserBody.self).refuses(404)
        routes.put("/users/me", .user, update).about("Changes your name and telephone number")
            .takesForm([], optional: ["full_name", "phone"]).answers(UserBody.self).refuses(404)
        routes.get("/users/me/profile", .user, profile).about("You, your cart's total and your orders")
            .answers(200, "like `/users/me`, with `current_cart_total` and `orders`").refuses(404)
        routes.get("/users/me/orders", .user, orders).about("Your orders").answers([OrderSummary].self)
        routes.post("/users/me/orders", .user, checkOut).about("Makes an order of your cart")
            .header("Idempotency-Key", ["type": "string"], "Sent again with the same key, it is the same order.")
            .answers(OrderView.self).refuses(400, 404, 409)
        routes.get("/users/me/cart", .user, cart).about("Your cart").answers(CartView.self)
        routes.get("/users/me/total-spent", .user, totalSpent).about("What you have spent")
            .answers(TotalSpent.self).refuses(404)
    }

    private struct TotalSpent: Codable {
        let total_spent: Money
    }

    // MARK: Shapes

    struct UserBody: Codable {
        let id: String
        let username: String
        let full_name: String
        let phone: String
        let created_at: Timestamp
        let total_spent: Money
        let is_admin: Bool

        init(_ user: User) {
            id = user.id
            username = user.username
            full_name = user.fullName
            phone = user.phone
            created_at = user.createdAt
            total_spent = user.totalSpent
            is_admin = user.role == .admin
        }
    }

    private struct TokenBody: Codable {
        let access_token: String
        var token_type = "bearer"
    }

    private struct Registration: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["username", "full_name", "phone", "password"]
        let username: String
        let full_name: String?
        let phone: String?
        let password: String
    }

    // MARK: Handlers

    @Sendable private func register(_ request: Request) async throws -> HTTPResponse {
        let body: Registration = try await request.json()
        var problems: [HTTPError.FieldError] = []
        if !Credentials.isUsername(body.username) {
            problems.append(
                .init(
                    ["body", "username"], "3 to 150 letters, digits, or any of . _ - @ +", type: "string_pattern"))
        }
        if let weakness = Credentials.weakness(ofPassword: body.password) {
            problems.append(.init(["body", "password"], weakness, type: "password_weak"))
        }
        try check(fullName: body.full_name ?? "", phone: body.phone ?? "", &problems)
        do {
            let user = try await accounts.register(
                username: body.username, email: nil, fullName: body.full_name ?? "", phone: body.phone ?? "",
                password: body.password)
            return try .json(UserBody(user))
        } catch Accounts.Failure.taken {
            throw HTTPError(.badRequest, "username.taken", "this username is taken")
        }
    }

    /// - Throws: 422 when there are problems.
    private func check(fullName: String, phone: String, _ problems: inout [HTTPError.FieldError]) throws {
        if !Credentials.isPlainText(fullName) {
            problems.append(.init(["body", "full_name"], "at most 200 bytes of plain text", type: "string_pattern"))
        }
        if !Credentials.isPlainText(phone, maxBytes: 40) {
            problems.append(.init(["body", "phone"], "at most 40 bytes of plain text", type: "string_pattern"))
        }
        if !problems.isEmpty {
            throw HTTPError(.unprocessableContent, "body.invalid", "the body is not valid", fields: problems)
        }
    }

    /// OAuth 2.0 password flow, as its seed has it.
    @Sendable private func token(_ request: Request) async throws -> HTTPResponse {
        let form = try await request.form()
        var problems: [HTTPError.FieldError] = []
        for name in ["username", "password"] where form[name, default: ""].isEmpty {
            problems.append(.init(["body", name], "field required", type: "missing"))
        }
        guard problems.isEmpty, let username = form["username"], let password = form["password"] else {
            throw HTTPError(.unprocessableContent, "form.invalid", "the form is not complete", fields: problems)
        }
        do {
            let user = try await accounts.authenticate(username, password, from: request.clientAddress)
            return try .json(TokenBody(access_token: try await accounts.issueAccess(to: user)))
        } catch let failure as Accounts.Failure {
            throw failure.httpError(badCredentials: "wrong username or password")
        }
    }

    @Sendable private func me(_ request: Request) async throws -> HTTPResponse {
        try .json(UserBody(try await accounts.user(of: request)))
    }

    @Sendable private func update(_ request: Request) async throws -> HTTPResponse {
        let form = try await request.form()
        var problems: [HTTPError.FieldError] = []
        try check(fullName: form["full_name"] ?? "", phone: form["phone"] ?? "", &problems)
        let user = try await accounts.user(of: request)
        let updated = try await accounts.users.update(user.id, fullName: form["full_name"], phone: form["phone"])
        return try .json(UserBody(updated ?? user))
    }

    @Sendable private func profile(_ request: Request) async throws -> HTTPResponse {
        let user = try await accounts.user(of: request)
        return try .json(ShopProfile(user, await purchases.summary(of: try request.caller())))
    }

    @Sendable private func orders(_ request: Request) async throws -> HTTPResponse {
        try .json(try await purchases.orders(of: try request.caller()))
    }

    @Sendable private func checkOut(_ request: Request) async throws -> HTTPResponse {
        try .json(
            try await purchases.checkOut(try request.caller(), idempotencyKey: request.header("idempotency-key")))
    }

    @Sendable private func cart(_ request: Request) async throws -> HTTPResponse {
        try .json(try await purchases.cart(of: try request.caller()))
    }

    @Sendable private func totalSpent(_ request: Request) async throws -> HTTPResponse {
        try .json(TotalSpent(total_spent: try await accounts.user(of: request).totalSpent))
    }
}
