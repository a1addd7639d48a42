internal import Configuration
internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import Models
internal import PaymentsContracts
internal import ProcessorContracts
internal import Security
package import ServiceKit
internal import Tasks
internal import Telemetry
internal import UsersContracts

/// Users of both HTTP shapes, their passwords and tokens.
package enum UsersService {
    package static let definition = ServiceDefinition(
        name: "users", summary: "registers and authenticates, issues and rotates tokens", port: 8081,
        database: "users_db", usesBroker: true,
        migrations: [
            Migration(1, "create_users", PackageResources._001_create_users_sql),
            Migration(
                2, "add_activity_and_spendings", PackageResources._002_add_activity_and_spendings_sql),
            Migration(3, "index_spendings", PackageResources._003_index_spendings_sql),
            Migration(4, "create_directory", PackageResources._004_create_directory_sql),
        ],
        consumes: [.to(OrderProcessed.self), .to(PaymentRefunded.self)],
        tasks: [Company.activate.declaration],
        telemetry: UsersTelemetry.declarations
    ) { app in
        let configuration = UsersConfiguration(app.configuration)
        let telemetry = UsersTelemetry(app.telemetry)
        let users = UserRepository(database: app.database)
        let refreshTokens = RefreshTokenRepository(database: app.database)
        let spendings = SpendingRepository()
        let accounts = Accounts(
            database: app.database, users: users, refreshTokens: refreshTokens, outbox: app.outbox,
            hasher: PasswordHasher(cost: configuration.bcryptCost, workers: app.workers), signer: app.tokenSigner,
            throttle: LoginThrottle(attemptsPerMinute: configuration.loginsPerMinute),
            telemetry: telemetry, faults: app.faults)

        app.routes("/api/users", errors: .marimo, MarimoRoutes(accounts: accounts).declare)
        app.routes(
            "/user-api", errors: .detail,
            ShopRoutes(accounts: accounts, purchases: Purchases(services: app.services)).declare)
        app.routes("/internal/users") { routes in
            routes.get("/{id}/contact", .service) { request in
                guard let user = try await users.find(try request.uuid("id")) else {
                    throw HTTPError(.notFound, "user.unknown", "there is no such user")
                }
                let address = user.email ?? (Credentials.isEmail(user.username) ? user.username : nil)
                return try .json(UserContact(userID: user.id, name: user.fullName, email: address))
            }
            routes.get("/{id}/permissions", .service) { request in
                try .json(UserPermissions(permissions: try await users.permissions(of: try request.uuid("id"))))
            }
        }

        Directory(app: app, accounts: accounts).offer()

        app.on(OrderProcessed.self) { event, context in
            guard event.status == .completed, let userID = event.userID, let total = event.total else { return }
            try await spendings.add(total, of: userID, order: event.orderID, in: context.transaction)
        }
        app.on(PaymentRefunded.self) { event, context in
            try await spendings.refund(order: event.payment.orderID, in: context.transaction)
        }
        if let admin = configuration.admin {
            app.component(FirstAdministrator(accounts: accounts, email: admin.email, password: admin.password))
        }
        app.invariant(
            .booksAgree, "users and their orders", rows: SpendingInvariants.rows,
            SpendingInvariants(database: app.database).totals)
        app.every(milliseconds: 10_000, "active_users") {
            telemetry.active.set(Double(try await users.countActive(withinSeconds: 900)))
        }
        app.every(milliseconds: 3_600_000, "prune_refresh_tokens") { try await refreshTokens.prune() }
    }
}

/// Makes the first administrator when the service starts.
private struct FirstAdministrator: Component {
    let name = "first administrator"
    let accounts: Accounts
    let email: String
    let password: String
    func start() async throws { try await accounts.ensureAdmin(email: email, password: password) }
    func stop() async {}
}
