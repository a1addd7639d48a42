internal import Configuration
internal import Consul
internal import EventLoop
internal import HTTP
internal import PostgreSQL
internal import Redis
internal import Synchronization
internal import Tasks
internal import Telemetry
internal import TelemetrySDK

/// Starts and stops one service: every step that has succeeded knows how it is undone, and is undone in reverse.
final class ServiceRunner: Sendable {
    let application: Application
    private let declared: Application.Registrations
    private let checks: HealthChecks
    private let pipeline: RequestPipeline
    private let port: Int
    private let state = Mutex(State())

    private struct State: Sendable {
        var started: [(name: String, stop: @Sendable () async -> Void)] = []
        var server: HTTPServer?
        var registration: ConsulRegistration?
    }

    /// How long one part may take to stop.
    private static let stopSeconds = 15

    /// Call when `build` has run.
    /// - Throws: `RouteConflict`.
    init(_ application: Application) throws {
        self.application = application
        var declared = application.declared
        let name = application.definition.name.uppercased()
        let port = application.definition.port
        switch application.platform.role {
        case .whole: self.port = application.configuration.int(name + "_PORT", default: port, in: 0...65_535)
        case .worker:
            self.port = application.configuration.int(
                name + "_WORKER_PORT", default: port + ServiceRole.workerPortOffset, in: 0...65_535)
            // Its requests and jobs are the service's.
            declared.routes = []
            declared.shapes = []
            declared.fallback = nil
            declared.jobs = []
            declared.invariants = []
        }
        self.declared = declared
        checks = HealthChecks(Self.checks(application) + declared.checks)
        pipeline = try Self.pipeline(application, declared, checks)
    }

    private static func checks(_ application: Application) -> [HealthCheck] {
        var checks: [HealthCheck] = []
        if let database = application.databaseClient {
            checks.append(
                HealthCheck(name: "database", isCritical: true) { try await database.query("SELECT 1", "SELECT 1") })
        }
        if let redis = application.redisClient {
            checks.append(HealthCheck(name: "redis", isCritical: true) { try await redis.command("PING") })
        }
        if let events = application.events, application.platform.role == .whole {
            // Without the broker events wait in the outbox: the service still answers.
            checks.append(
                HealthCheck(name: "broker", isCritical: false) {
                    guard events.isConnected else { throw BrokerDisconnected() }
                })
        }
        return checks
    }

    private static func pipeline(
        _ application: Application, _ declared: Application.Registrations, _ checks: HealthChecks
    ) throws -> RequestPipeline {
        let instruments = HTTPInstruments(application.telemetry)
        let health = HealthRoutes(
            service: application.definition.name, version: SDKVersion.current, checks: checks,
            metrics: MetricsEndpoint(application.telemetry.metrics, on: application.platform.scrapes))
        let levels = LogLevelRoutes(logger: application.telemetry.logger)
        var routes = declared.routes + health.routes(besides: declared.routes) + levels.routes(besides: declared.routes)
        // A worker answers nothing that could be read about.
        if application.platform.role == .whole {
            routes += DocumentRoutes { application.openAPI() }.routes(besides: declared.routes)
        }
        var fallback = declared.fallback
        if let faults = application.faults { faults.guardAll(&routes, &fallback) }
        let router = try Router(routes: routes, shapes: declared.shapes) {
            TemplateTelemetry(route: $0, instruments: instruments)
        }
        for endpoint in router.endpoints {
            for case let route? in endpoint.routes {
                endpoint.telemetry.method(route.method).showUsualOutcomes(route.access)
            }
        }
        return RequestPipeline(
            router: router, fallback: fallback, telemetry: application.telemetry, instruments: instruments,
            authenticator: Authenticator(tokens: application.tokenSigner, identities: application.identitySigner),
            trustsPeer: declared.trustsIncomingContext, continuesTraces: declared.continuesIncomingTraces,
            defaultDeadlineMilliseconds: application.platform.settings.requestDeadlineMilliseconds)
    }

    // MARK: Start

    /// Brings the database to its schema and connects to what the service needs.
    /// - Throws: `ServiceStartError`.
    func prepare() async throws {
        let name = application.definition.name
        if let url = application.databaseURL, let database = application.databaseClient {
            try await step("its database", advice: "check DATABASE_URL or \(name.uppercased())_DATABASE_URL") {
                try await Self.migrate(application.definition, url: url, group: application.group) { applied in
                    application.telemetry.logger.log(
                        LifecycleTelemetry.migrated, "applied \(applied.joined(separator: ", "))")
                }
                for client in [database] + declared.extraDatabases {
                    try await client.start()
                    undo("database") { await client.stop() }
                }
            }
        }
        if let redis = application.redisClient {
            try await step("Redis", advice: "check REDIS_URL") {
                try await redis.start()
                undo("redis") { await redis.stop() }
            }
        }
        if let tasks = application.taskClient { undo("results of tasks") { await tasks.stop() } }
        undo("http client") { [application] in await application.httpClient.shutdown() }
    }

    /// Starts what the service does, and takes requests last.
    /// - Throws: `ServiceStartError`.
    func start() async throws {
        for component in declared.components {
            try await step(component.name, advice: "") {
                try await component.start()
                undo(component.name) { await component.stop() }
            }
        }
        if let events = application.events, application.platform.role == .whole {
            try await step("the message broker", advice: "check RABBITMQ_URL") {
                try await events.start()
                undo("events") { await events.stop() }
            }
        }
        if let worker = application.taskWorker, runsTasks {
            try await step("its tasks", advice: "check REDIS_URL") {
                try await worker.start()
                undo("tasks") { await worker.stop() }
            }
        }
        for job in declared.jobs + invariantJobs {
            job.start(on: application.group.next())
            undo("job \(job.name)") { await job.stop() }
        }
        try await step("its port", advice: "set \(application.definition.name.uppercased())_PORT to a free one") {
            try await listen()
        }
        checks.isServing = true
        application.telemetry.logger.log(LifecycleTelemetry.started, "listens on \(url)")
        register()
    }

    /// Tells Consul, if there is one, without waiting for it.
    private func register() {
        // A worker is nobody's address.
        guard application.platform.role == .whole, let consul = application.platform.consul,
            let port = state.withLock({ $0.server?.port })
        else { return }
        let name = application.definition.name
        let host = AdvertisedAddress.find(
            told: application.platform.settings.advertisedHost, listensOn: application.platform.settings.host)
        var registration = ServiceRegistration(id: "\(name)-\(host)-\(port)", name: name, address: host, port: port)
        registration.meta = ["version": SDKVersion.current]
        var check = ServiceRegistration.Check(
            url: "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/health/ready")
        check.intervalSeconds = consul.checkIntervalSeconds
        registration.check = check
        let keeper = ConsulRegistration(
            registration, settings: consul, group: application.group, telemetry: application.telemetry,
            metrics: application.platform.processMetrics)
        state.withLock { $0.registration = keeper }
        keeper.start(on: application.group.next())
    }

    /// Takes the service out of Consul, and returns when callers have heard of it.
    func leave() async {
        let registration = state.withLock { state in
            defer { state.registration = nil }
            return state.registration
        }
        await registration?.leave()
    }

    private var invariantJobs: [PeriodicJob] {
        guard !declared.invariants.isEmpty else { return [] }
        let watch = InvariantWatch(declared.invariants, application.telemetry)
        return [
            PeriodicJob(
                name: InvariantWatch.jobName,
                milliseconds: application.platform.settings.invariantCheckMilliseconds,
                telemetry: application.telemetry
            ) { try await watch.look() }
        ]
    }

    private var runsTasks: Bool {
        application.platform.role == .worker || application.platform.settings.tasks.areRunByServices
    }

    private func listen() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.host = application.platform.settings.host
        configuration.port = port
        configuration.maxBodyBytes = ([declared.fallback?.maxBodyBytes ?? 0] + declared.routes.map(\.maxBodyBytes))
            .reduce(Route.defaultMaxBodyBytes, max)
        // Behind the gateway all requests come from a few addresses.
        if declared.trustsIncomingContext { configuration.maxConnectionsPerAddress = configuration.maxConnections }
        let server = HTTPServer(
            configuration: configuration, group: application.group, dispatcher: { [pipeline] in pipeline.dispatch($0) })
        try await server.start()
        let seconds = application.platform.settings.drainTimeoutSeconds
        undo("http") { await server.drain(timeoutSeconds: seconds) }
        state.withLock { $0.server = server }
        let metrics = application.telemetry.metrics
        metrics.observe(HTTPTelemetry.openConnections) { Double(server.connectionCount) }
        metrics.observe(HTTPTelemetry.refusedConnections) { Double(server.refusedConnections) }
        metrics.observe(HTTPTelemetry.refusedRequests) { Double(server.refusedRequests) }
        // A worker is nobody's address.
        guard application.platform.role == .whole else { return }
        application.platform.directory.bound(application.definition.name, url: url)
    }

    /// Where the service listens; from this machine, when it listens everywhere.
    var url: String {
        let host = application.platform.settings.host
        let port = state.withLock { $0.server?.port } ?? port
        return "http://\(host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host):\(port)"
    }

    private func step(_ what: String, advice: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            // A migration says itself what to do.
            throw ServiceStartError(
                application.definition.name, what, error, advice: error is MigrationError ? "" : advice)
        }
    }

    private func undo(_ name: String, _ stop: @escaping @Sendable () async -> Void) {
        state.withLock { $0.started.append((name, stop)) }
    }

    // MARK: Stop

    /// From now on the service is not ready.
    func beginDrain() {
        checks.isServing = false
        application.telemetry.logger.log(LifecycleTelemetry.stopping, "drains")
    }

    /// Undoes what was started, the last first; what hangs is left behind.
    func stop() async {
        let started = state.withLock { state in
            defer { state.started = [] }
            return state.started
        }
        let seconds = max(Self.stopSeconds, application.platform.settings.drainTimeoutSeconds + 1)
        for (name, stop) in started.reversed() where await !Deadline.run(seconds: seconds, stop) {
            application.telemetry.logger.log(
                LifecycleTelemetry.stopTimedOut, "\(name) did not stop within \(seconds) s")
        }
        application.telemetry.logger.log(LifecycleTelemetry.stopped, "stopped")
    }

    // MARK: Migrations

    /// - Returns: the names of what was applied.
    @discardableResult
    static func migrate(
        _ definition: ServiceDefinition, url: String, group: EventLoopGroup, report: ([String]) -> Void = { _ in }
    ) async throws -> [String] {
        try await ServiceDatabase.ensureExists(url: url, group: group)
        // A client of its own: a migration may take longer than a statement ever should.
        var configuration = PostgreSQLClient.Configuration(url: url)
        configuration.poolSizePerLoop = 1
        configuration.statementTimeoutMilliseconds = migrationTimeoutMilliseconds
        configuration.lockTimeoutMilliseconds = migrationTimeoutMilliseconds
        let client = PostgreSQLClient(configuration: configuration, group: group, telemetry: .disabled())
        do {
            let applied = try await MigrationRunner(database: client, service: definition.name).up(
                definition.migrations)
            await client.stop()
            if !applied.isEmpty { report(applied) }
            return applied
        } catch {
            await client.stop()
            throw error
        }
    }

    private static let migrationTimeoutMilliseconds = 60_000
}

/// The broker's connection is down; it is being opened again.
private struct BrokerDisconnected: Error, ErrorTypeProviding {
    var errorType: String { "disconnected" }
}
