import CartContracts
import HTTP
import HTTPCodec
import OrdersContracts
import PaymentsContracts
import PostgreSQL
import ProcessorContracts
import Security
import ServiceKit
import ServiceTesting
import TelemetryTesting
import Testing
import UsersContracts
import Values

@testable import Users

/// The shape under `/user-api`, and what users does for other services.
@Suite struct ShopRoutesTests {
    private struct Person: Decodable {
        let id: String
        let username: String
        let full_name: String
        let phone: String
        let total_spent: Money
        let is_admin: Bool
    }

    private static let mira =
        #"{"username":"mira","full_name":"Mira M","phone":"+7 900 000-00-00","password":"Secret12"}"#

    /// What stands in for cart and orders.
    private static func cart(_ total: Int64 = 1_250, checkout: HTTPStatus = .ok) -> ServiceDefinition {
        ServiceDefinition(name: "cart", summary: "a stand-in", port: 0) { app in
            app.routes("/cart-api", errors: .detail) { routes in
                routes.get("/cart/", .user) { _ in
                    try .json(CartView(items: [], total: Money(cents: total)))
                }
                routes.post("/cart/checkout", .user) { request in
                    guard checkout == .ok else { throw HTTPError(checkout, "cart.empty", "the cart is empty") }
                    return try .json(Self.order("11111111-0000-4000-8000-000000000000", try request.caller().userID))
                }
            }
        }
    }

    private static let orders = ServiceDefinition(name: "orders", summary: "a stand-in", port: 0) { app in
        app.routes("/order-api", errors: .detail) { routes in
            routes.get("/orders/", .user) { request in
                // As an administrator's list would be.
                try .json([
                    Self.order("11111111-0000-4000-8000-000000000000", try request.caller().userID),
                    Self.order("22222222-0000-4000-8000-000000000000", "somebody else"),
                ])
            }
        }
    }

    private static func order(_ id: String, _ userID: String) -> OrderView {
        OrderView(
            id: id, userID: userID, items: [], total: Money(cents: 4_200), status: .shipping, createdAt: .now(),
            updatedAt: .now())
    }

    private func running<T>(
        _ others: [ServiceDefinition] = [], values: [String: String] = [:], _ body: (Deployment) async throws -> T
    ) async throws -> T {
        try await Deployment.run([UsersService.definition] + others, values: values, body)
    }

    private func register(_ users: Deployment, _ json: String = Self.mira) async throws -> Reply {
        try await users.send("users", .post, "/user-api/users/register", json: json)
    }

    private func token(_ users: Deployment, _ form: String = "username=mira&password=Secret12") async throws -> Reply {
        try await users.send("users", .post, "/user-api/token", form: form)
    }

    private func bearer(_ users: Deployment) async throws -> [(String, String)] {
        struct Token: Decodable { let access_token: String }
        return [("authorization", "Bearer \(try await token(users).decode(Token.self).access_token)")]
    }

    @Test func whoRegistersGetsATokenAndSeesHerself() async throws {
        try await running { users in
            let registered = try await register(users)
            #expect(registered.status == 200)
            let keys: Set<String> = [
                "id", "username", "full_name", "phone", "created_at", "total_spent", "is_admin",
            ]
            #expect(try registered.keys() == keys)
            let person: Person = try registered.decode()
            #expect(person.username == "mira" && person.full_name == "Mira M" && !person.is_admin)
            #expect(registered.text.contains(#""total_spent":0"#))

            let reply = try await token(users, "grant_type=password&username=MIRA&password=Secret12")
            #expect(reply.status == 200)
            #expect(try reply.keys() == ["access_token", "token_type"])
            #expect(reply.text.contains(#""token_type":"bearer""#))
            let me = try await users.send("users", .get, "/user-api/users/me", headers: try await bearer(users))
            #expect(try me.keys() == keys)
            #expect(try me.decode(Person.self).id == person.id)
            #expect(me.text == registered.text)
        }
    }

    @Test func errorsLookAsFastAPIWritesThem() async throws {
        try await running { users in
            #expect(try await register(users).status == 200)
            let taken = try await register(users, #"{"username":"MIRA","password":"Secret12"}"#)
            #expect(taken.status == 400)
            #expect(taken.text == #"{"detail":"this username is taken"}"#)

            let weak = try await register(users, #"{"username":"m","password":"secret"}"#)
            #expect(weak.status == 422)
            #expect(
                weak.text == """
                    {"detail":[{"loc":["body","username"],"msg":"3 to 150 letters, digits, or any of . _ - @ +",\
                    "type":"string_pattern"},{"loc":["body","password"],"msg":"the password must have at least 8 \
                    characters","type":"password_weak"}]}
                    """)
            let missing = try await register(users, #"{"username":"mira2"}"#)
            #expect(missing.status == 422)
            #expect(
                missing.text == #"{"detail":[{"loc":["body","password"],"msg":"Field required","type":"missing"}]}"#)

            let wrong = try await token(users, "username=mira&password=Wrong123")
            #expect(wrong.status == 401)
            #expect(wrong.text == #"{"detail":"wrong username or password"}"#)
            #expect(wrong.headers["www-authenticate"] == "Bearer")
            #expect(try await token(users, "username=nobody&password=Wrong123").text == wrong.text)
            #expect(try await token(users, "username=mira").status == 422)
            #expect(try await users.send("users", .post, "/user-api/token", json: "{}").status == 415)
            let nobody = try await users.send("users", .get, "/user-api/users/me")
            #expect(nobody.status == 401)
            #expect(nobody.text == #"{"detail":"Not authenticated"}"#)
        }
    }

    @Test func noNameAndNoFieldMakesAnAdministrator() async throws {
        try await running { users in
            for name in ["admin", "Administrator", "root"] {
                let reply = try await register(users, #"{"username":"\#(name)","password":"Secret12"}"#)
                #expect(try !reply.decode(Person.self).is_admin)
            }
            for field in [#""is_admin":true"#, #""role":"admin""#, #""roles":["admin"]"#, #""total_spent":5"#] {
                let reply = try await register(users, #"{"username":"eve","password":"Secret12",\#(field)}"#)
                #expect(reply.status == 422)
                #expect(reply.text.contains("extra_forbidden"))
            }
        }
    }

    @Test func oneAccountServesBothShapes() async throws {
        try await running { users in
            #expect(
                try await users.send(
                    "users", .post, "/api/users/register",
                    json: #"{"email":"ann@example.org","password":"Secret12","name":"Ann"}"#
                ).status == 201)
            #expect(try await token(users, "username=ann%40example.org&password=Secret12").status == 200)
            #expect(try await register(users).status == 200)
            let login = try await users.send(
                "users", .post, "/api/users/login", json: #"{"email":"mira","password":"Secret12"}"#)
            #expect(login.status == 200)
            // Nobody else may take the name that an address is.
            let squatter = try await register(users, #"{"username":"Ann@example.org","password":"Secret12"}"#)
            #expect(squatter.status == 400)
        }
    }

    @Test func aFormChangesWhatItNames() async throws {
        try await running { users in
            #expect(try await register(users).status == 200)
            let bearer = try await bearer(users)
            let changed = try await users.send(
                "users", .put, "/user-api/users/me", headers: bearer, form: "full_name=Mira+Mirova%21")
            #expect(changed.status == 200)
            let person: Person = try changed.decode()
            #expect(person.full_name == "Mira Mirova!" && person.phone == "+7 900 000-00-00")
            let bad = try await users.send(
                "users", .put, "/user-api/users/me", headers: bearer, form: "phone=1%0A2")
            #expect(bad.status == 422)
            // A service has no page of its own.
            let service = try await users.send(
                "users", .get, "/user-api/users/me", headers: [Deployment.signed(.service("cart"))])
            #expect(service.status == 404)
        }
    }

    // MARK: Cart and orders

    @Test func theProfileShowsCartAndOwnOrders() async throws {
        try await running([Self.cart(), Self.orders]) { users in
            #expect(try await register(users).status == 200)
            let bearer = try await bearer(users)
            let profile = try await users.send("users", .get, "/user-api/users/me/profile", headers: bearer)
            #expect(profile.status == 200)
            #expect(
                try profile.keys() == [
                    "id", "username", "full_name", "phone", "created_at", "total_spent", "is_admin",
                    "current_cart_total", "orders",
                ])
            #expect(profile.text.contains(#""current_cart_total":12.5"#))
            struct Listed: Decodable {
                let id: String
                let status: String
            }
            let orders = try await users.send("users", .get, "/user-api/users/me/orders", headers: bearer)
            #expect(try orders.decode([Listed].self).map(\.id) == ["11111111-0000-4000-8000-000000000000"])
            #expect(!profile.text.contains("22222222"))
            let cart = try await users.send("users", .get, "/user-api/users/me/cart", headers: bearer)
            #expect(try cart.keys() == ["items", "total"])
            let order = try await users.send("users", .post, "/user-api/users/me/orders", headers: bearer)
            #expect(order.status == 200)
            #expect(order.text.contains("11111111"))
        }
    }

    @Test func theProfileDoesWithoutThoseThatDoNotAnswer() async throws {
        let nowhere = ["CART_URL": "http://127.0.0.1:1", "ORDERS_URL": "http://127.0.0.1:1"]
        try await running(values: nowhere) { users in
            #expect(try await register(users).status == 200)
            let bearer = try await bearer(users)
            let profile = try await users.send("users", .get, "/user-api/users/me/profile", headers: bearer)
            #expect(profile.status == 200)
            #expect(profile.text.contains(#""current_cart_total":null"#))
            #expect(profile.text.contains(#""unavailable":["cart","orders"]"#))
            let cart = try await users.send("users", .get, "/user-api/users/me/cart", headers: bearer)
            #expect(cart.status == 503)
            #expect(try cart.keys() == ["detail"])
        }
    }

    @Test func theCartsRefusalIsPassedOn() async throws {
        try await running([Self.cart(checkout: .badRequest)]) { users in
            #expect(try await register(users).status == 200)
            let order = try await users.send(
                "users", .post, "/user-api/users/me/orders", headers: try await bearer(users))
            #expect(order.status == 400)
            #expect(order.text == #"{"detail":"the cart is empty"}"#)
        }
    }

    // MARK: For other services

    @Test func anOrderCountsOnceAndARefundTakesItBack() async throws {
        try await running { users in
            let person: Person = try await register(users).decode()
            let bearer = try await bearer(users)
            func spent() async throws -> Money {
                struct Spent: Decodable { let total_spent: Money }
                return try await users.send("users", .get, "/user-api/users/me/total-spent", headers: bearer)
                    .decode(Spent.self).total_spent
            }
            func processed(_ id: String, _ cents: Int64, _ status: OrderProcessed.Outcome = .completed)
                -> OrderProcessed
            {
                OrderProcessed(
                    orderID: id, status: status, errorMessage: nil, userID: person.id, total: Money(cents: cents))
            }
            let (one, two, three) = (Identifier.make(), Identifier.make(), Identifier.make())
            // The same message again, and the same fact in another message.
            try await users.publish(processed(one, 10_050), messageID: "m-1", times: 3)
            try await users.publish(processed(one, 10_050))
            try await users.publish(processed(two, 999, .failed))
            #expect(try await eventually { try await spent() == Money(cents: 10_050) })

            // A refund that is heard of before its order, and one after.
            let refund = { (id: String) in
                PaymentRefunded(PaymentSettled(orderID: id, paymentID: "p", amount: Money(cents: 700)))
            }
            try await users.publish(refund(three), times: 2)
            let database = try users.database("users")
            #expect(
                try await eventually {
                    let row = try await database.query(
                        "SELECT spendings", "SELECT 1 FROM spendings WHERE order_id = \(three)::uuid AND is_refunded")
                    return row.count == 1
                })
            try await users.publish(processed(three, 700))
            try await users.publish(processed(two, 2_000))
            #expect(try await eventually { try await spent() == Money(cents: 12_050) })
            try await users.publish(refund(one), times: 2)
            #expect(try await eventually { try await spent() == Money(cents: 2_000) })
        }
    }

    @Test func onlyServicesLearnHowSomebodyIsReached() async throws {
        try await running { users in
            let reply = try await users.send(
                "users", .post, "/api/users/register",
                json: #"{"email":"ann@example.org","password":"Secret12","name":"Ann"}"#)
            struct Registered: Decodable {
                struct User: Decodable { let id: String }
                let user: User
            }
            let id = try reply.decode(Registered.self).user.id
            func contact(_ id: String, _ headers: [(String, String)]) async throws -> Reply {
                try await users.send("users", .get, "/internal/users/\(id)/contact", headers: headers)
            }
            let service = Deployment.signed(.service("notifications"))
            let found: UserContact = try await contact(id, [service]).decode()
            #expect(found.email == "ann@example.org" && found.name == "Ann")
            let forged = IdentitySigner(secret: String(repeating: "x", count: 32))
                .sign(.service("notifications"), now: Deployment.now)
            for headers in [
                [], [Deployment.bearer(["admin"])], [Deployment.bearer(["service"])],
                [Deployment.signed(Identity(userID: id, username: "ann", roles: ["admin"]))],
                [(IdentitySigner.header, forged)],
            ] {
                #expect(try await contact(id, headers).status == 403)
            }
            #expect(try await contact(Identifier.make(), [service]).status == 404)
            #expect(try await contact("1'--", [service]).status == 404)

            // A shop account without an address.
            let person: Person = try await register(users).decode()
            let without: UserContact = try await contact(person.id, [service]).decode()
            #expect(without.email == nil)
        }
    }
}
