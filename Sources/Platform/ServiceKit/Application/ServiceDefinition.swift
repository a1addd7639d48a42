package import Tasks
package import Telemetry

/// What a service is, in one value: the wiring table of the executable holds one of these a service.
package struct ServiceDefinition: Sendable {
    /// `orders`: the `service.name` of its telemetry, the prefix of its variables (`ORDERS_PORT`).
    package var name: String
    package var summary: String
    /// Default port; `<NAME>_PORT` overrides it.
    package var port: Int
    /// The database it owns (`order_db`), or nil.
    package var database: String?
    package var usesRedis: Bool
    package var usesBroker: Bool
    package var migrations: [Migration]
    /// The events that it consumes: exactly those that `build` registers handlers for.
    package var consumes: [Subscription]
    /// The tasks that its workers run (its own: exactly those that `build` registers handlers for), and those of other
    /// services that it enqueues.
    package var tasks: [TaskDeclaration]
    /// What it keeps in Redis for a while: the names of its caches, each made with `app.cache`.
    package var caches: [String]
    /// Every metric, span name and log event that the service declares.
    package var telemetry: TelemetryDeclarations
    /// Declarations of clients that the service brings itself, such as mail.
    package var clients: [TelemetryContract.Scope]
    /// Registers routes, consumers, jobs and components. Runs once, before anything starts.
    package var build: @Sendable (Application) async throws -> Void

    package init(
        name: String, summary: String, port: Int, database: String? = nil, usesRedis: Bool = false,
        usesBroker: Bool = false, migrations: [Migration] = [],
        consumes: [Subscription] = [], tasks: [TaskDeclaration] = [], caches: [String] = [],
        telemetry: TelemetryDeclarations = .init(),
        clients: [TelemetryContract.Scope] = [],
        build: @escaping @Sendable (Application) async throws -> Void
    ) {
        self.name = name
        self.summary = summary
        self.port = port
        self.database = database
        // Tasks wait in Redis, and caches are there.
        self.usesRedis = usesRedis || !tasks.isEmpty || !caches.isEmpty
        self.usesBroker = usesBroker
        self.migrations = migrations
        self.consumes = consumes
        self.tasks = tasks
        self.caches = caches
        self.telemetry = telemetry
        self.clients = clients
        self.build = build
    }
}
