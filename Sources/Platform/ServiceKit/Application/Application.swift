internal import AMQP
package import Configuration
package import EventLoop
package import HTTP
package import PostgreSQL
package import Redis
package import Security
internal import Synchronization
internal import Tasks
package import Telemetry

/// One service being put together, then running: configuration, telemetry, clients, routes, consumers and jobs.
///
/// `ServiceDefinition.build` receives it, reads settings, and registers what the service does; the host then checks
/// the configuration, migrates, starts components in order, and stops them in reverse.
package final class Application: Sendable {
    package let definition: ServiceDefinition
    package let configuration: ConfigurationReader
    package let telemetry: Telemetry
    package let group: EventLoopGroup
    package let workers: WorkerPool
    /// Calls to other services, with the caller's identity, request id, trace and deadline.
    package let services: ServiceClient

    let platform: Platform
    let httpClient: HTTPClient
    let databaseClient: PostgreSQLClient?
    let databaseURL: String?
    let redisClient: RedisClient?
    let events: EventBus?
    let taskClient: TaskClient?
    let taskWorker: TaskWorker?
    /// Faults on purpose; nil unless `VITRINE_FAULTS=enabled`.
    package let faults: FaultSwitches?
    private let registrations = Mutex(Registrations())

    /// What `build` has declared so far.
    struct Registrations: Sendable {
        var routes: [Route] = []
        /// What follows from the routes, and what is told of them apart.
        var operations: [APIOperation] = []
        var document = APIDocument()
        var shapes: [(prefix: String, shape: ErrorShape)] = []
        var fallback: RequestPipeline.Fallback?
        var jobs: [PeriodicJob] = []
        var checks: [HealthCheck] = []
        var invariants: [InvariantCheck] = []
        var components: [any Component] = []
        var extraDatabases: [PostgreSQLClient] = []
        var trustsIncomingContext = true
        var continuesIncomingTraces = false
    }

    init(definition: ServiceDefinition, platform: Platform, telemetry: Telemetry) {
        self.definition = definition
        self.platform = platform
        self.telemetry = telemetry
        configuration = platform.configuration
        group = platform.group
        workers = platform.workers
        httpClient = HTTPClient(group: platform.group, telemetry: telemetry)
        services = ServiceClient(
            callerName: definition.name, http: httpClient, directory: platform.directory,
            identities: platform.identities, group: platform.group, telemetry: telemetry)
        databaseURL = Self.databaseURL(definition, platform.configuration)
        databaseClient = databaseURL.map { url in
            var configuration = PostgreSQLClient.Configuration(url: url)
            configuration.poolSizePerLoop = platform.settings.poolSizePerLoop
            return PostgreSQLClient(configuration: configuration, group: platform.group, telemetry: telemetry)
        }
        faults =
            platform.settings.hasFaults
            ? FaultSwitches(
                telemetry: telemetry, group: platform.group, database: databaseClient,
                connections: platform.settings.poolSizePerLoop) : nil
        redisClient = Self.url(definition.usesRedis, "REDIS_URL", platform.configuration).map {
            RedisClient(configuration: .init(url: $0), group: platform.group, telemetry: telemetry)
        }
        let broker = Self.url(definition.usesBroker, "RABBITMQ_URL", platform.configuration)
        if let broker, let databaseClient {
            var configuration = AMQPClient.Configuration(url: broker)
            configuration.connectionName = definition.name
            events = EventBus(
                service: definition.name,
                broker: AMQPClient(configuration: configuration, group: platform.group, telemetry: telemetry),
                database: databaseClient, telemetry: telemetry, group: platform.group, faults: faults)
        } else {
            events = nil
        }
        (taskClient, taskWorker) = Self.makeTasks(
            definition, platform, redis: redisClient, database: databaseClient, telemetry: telemetry)
    }

    /// `<NAME>_DATABASE_URL`, or `DATABASE_URL` with the name of the service's database.
    static func databaseURL(_ definition: ServiceDefinition, _ configuration: ConfigurationReader) -> String? {
        guard let database = definition.database else { return nil }
        let own = definition.name.uppercased() + "_DATABASE_URL"
        if let url = configuration.optionalString(own) { return url }
        guard let server = url(true, "DATABASE_URL", configuration) else { return nil }
        return ServiceDatabase.url(server: server, database: database)
    }

    private static func url(_ isNeeded: Bool, _ name: String, _ configuration: ConfigurationReader) -> String? {
        guard isNeeded else { return nil }
        if let url = configuration.optionalString(name) { return url }
        // Asked for again as a required one, so that the complaint reads like all others; nothing will start, but the
        // rest of the configuration is still read, so that all that is wrong is told at once.
        _ = configuration.required(name, expected: "the URL of a server")
        return "\(name.lowercased().prefix { $0 != "_" })://missing"
    }

    // MARK: What a service has

    /// The service's own database. Traps when the definition names none.
    package var database: PostgreSQLClient {
        Self.existing(databaseClient, "a database", definition, "database")
    }
    /// Another pool on the same database, for work that must not wait for the service's own statements; started and
    /// stopped with the service. During `build` only. Traps when the definition names no database.
    package func makeDatabaseClient(poolSizePerLoop: Int) -> PostgreSQLClient {
        guard let databaseURL else {
            return Self.existing(databaseClient, "a database", definition, "database")
        }
        var configuration = PostgreSQLClient.Configuration(url: databaseURL)
        configuration.poolSizePerLoop = poolSizePerLoop
        let client = PostgreSQLClient(configuration: configuration, group: group, telemetry: telemetry)
        registrations.withLock { $0.extraDatabases.append(client) }
        return client
    }
    /// Traps when the definition does not use Redis.
    package var redis: RedisClient { Self.existing(redisClient, "Redis", definition, "usesRedis") }
    /// Events written in the caller's transaction and published afterwards. Traps without database and broker.
    package var outbox: Outbox {
        Self.existing(events?.outbox, "an outbox", definition, "database and usesBroker")
    }
    package var tokenSigner: TokenSigner { platform.tokens }
    package var identitySigner: IdentitySigner { platform.identities }

    private static func existing<T>(_ value: T?, _ what: String, _ definition: ServiceDefinition, _ setting: String)
        -> T
    {
        guard let value else {
            preconditionFailure("'\(definition.name)' asks for \(what): declare \(setting) in its ServiceDefinition")
        }
        return value
    }

    /// Whether callers are of the platform, so that their trace context, deadline and signed identity count. The
    /// gateway says no: there an outside trace becomes a link, and nobody is believed without a token.
    package var trustsIncomingContext: Bool {
        get { registrations.withLock { $0.trustsIncomingContext } }
        set { registrations.withLock { $0.trustsIncomingContext = newValue } }
    }

    /// Whether a trace that a stranger began is continued all the same; a link to it is made otherwise. Means nothing
    /// where callers are of the platform.
    package var continuesIncomingTraces: Bool {
        get { registrations.withLock { $0.continuesIncomingTraces } }
        set { registrations.withLock { $0.continuesIncomingTraces = newValue } }
    }

    // MARK: What a service does

    /// Declares routes under a prefix; every error below it is written in this shape.
    /// - Parameter areDocumented: whether the OpenAPI document tells of them.
    package func routes(
        _ prefix: String, errors: ErrorShape = .problem, areDocumented: Bool = true, _ declare: (RouteGroup) -> Void
    ) {
        let group = RouteGroup(prefix: prefix, shape: errors)
        declare(group)
        let routes = group.routes
        let operations = areDocumented ? group.operations : []
        registrations.withLock { state in
            state.routes += routes
            state.operations += operations
            state.shapes.append((prefix, errors))
        }
    }

    /// Tells the OpenAPI document more than routes do: an operation takes the place of the one that follows from its
    /// route. During `build` only.
    package func document(_ operations: [APIOperation], schemas: [(name: String, schema: JSONTree)] = []) {
        registrations.withLock { state in
            state.document.operations += operations
            state.document.schemas += schemas
        }
    }

    /// The OpenAPI document of this service.
    package func openAPI() -> JSONTree {
        var (document, operations) = registrations.withLock { ($0.document, $0.operations) }
        let told = Set(document.operations.map { "\($0.method) \($0.path)" })
        document.operations += operations.filter { !told.contains("\($0.method) \($0.path)") }
        return document.render(title: definition.name, about: definition.summary)
    }

    /// A handler for requests that no route takes (the gateway's proxy). It runs on the connection's loop, outside of any
    /// task, in the request's context, and decides what becomes of each request.
    /// - Parameters: templates: the route labels of its requests.
    ///   - template: which of them a request has; nil for `unmatched`.
    package func fallback(
        maxBodyBytes: Int = 1024 * 1024, templates: [String], template: @escaping @Sendable (HTTPRequest) -> Int?,
        _ handler: @escaping @Sendable (Request) throws -> HTTPDisposition
    ) {
        let fallback = RequestPipeline.Fallback(
            templates: templates, template: template, maxBodyBytes: maxBodyBytes, handler: .deciding(handler))
        registrations.withLock { $0.fallback = fallback }
    }

    /// Consumes an event: queue `<service>-service.<type>` bound to exchange `orders`, retries with growing delays,
    /// then the dead-letter queue. The handler runs in a transaction that also holds the inbox row, so its effects
    /// happen exactly once however often the message arrives; a thrown error rolls back and retries later.
    package func on<E: Event>(
        _ type: E.Type, _ handler: @escaping @Sendable (E, MessageContext) async throws -> Void
    ) { events?.on(type, handler) }

    /// Consumes every event of the exchange as raw JSON (an audit trail), exactly once like `on`.
    package func onEveryEvent(
        queue: String, _ handler: @escaping @Sendable (RawEvent, MessageContext) async throws -> Void
    ) { events?.onEveryEvent(queue: queue, handler) }

    /// Runs `body` every so often while the service runs, never twice at once; failures are logged and counted.
    package func every(milliseconds: Int, _ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        let guarded: @Sendable () async throws -> Void
        if let faults {
            guarded = {
                try faults.meetJob(name)
                try await body()
            }
        } else {
            guarded = body
        }
        let job = PeriodicJob(name: name, milliseconds: milliseconds, telemetry: telemetry, body: guarded)
        registrations.withLock { $0.jobs.append(job) }
    }

    /// Holds rows against an invariant while the service runs, every `INVARIANT_CHECK_MS`.
    /// - Parameters:
    ///   - name: what is compared, in a few words.
    ///   - rows: so many of the newest and so many of all others at each look, 1 or more.
    ///   - read: see `InvariantCheck.read`: it must say `ORDER BY lsn` and obey the limit.
    package func invariant(
        _ invariant: Invariant, _ name: String, rows: Int = InvariantCheck.usualRows,
        _ read: @escaping @Sendable (_ lsn: Int64, _ limit: Int) async throws -> [InvariantCheck.Row]
    ) {
        let check = InvariantCheck(invariant: invariant, name: name, rows: max(1, rows), read: read)
        registrations.withLock { $0.invariants.append(check) }
    }

    /// A dependency that `/health/ready` asks: the closure throws when it is down.
    package func readiness(_ name: String, _ check: @escaping @Sendable () async throws -> Void) {
        registrations.withLock { $0.checks.append(HealthCheck(name: name, isCritical: true, run: check)) }
    }

    /// Something with a lifetime, started after what came before it and stopped before it.
    package func component(_ component: any Component) {
        registrations.withLock { $0.components.append(component) }
    }

    /// What was declared.
    var declared: Registrations { registrations.withLock { $0 } }
}

/// Something with a lifetime. Started in order, stopped in reverse, each with a deadline.
package protocol Component: Sendable {
    var name: String { get }
    func start() async throws
    func stop() async
}
