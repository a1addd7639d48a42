internal import Configuration
package import EventLoop
internal import Synchronization
package import Telemetry
internal import TelemetryExport
internal import TelemetrySDK

/// Runs services in this process: telemetry, migrations, ordered start, readiness, graceful drain.
package final class ServiceHost: Sendable {
    private let services: [ServiceDefinition]
    private let platform: [ServiceDefinition]
    private let values: [String: String]
    private let group: EventLoopGroup
    private let role: ServiceRole
    private let makeTelemetry: (@Sendable (String) -> Telemetry)?
    private let state = Mutex(State())

    private struct State: Sendable {
        var runners: [ServiceRunner] = []
        var pipeline: TelemetryPipeline?
        var pools: [WorkerPool] = []
        var runtime: RuntimeMetrics?
        var directory: ServiceDirectory?
    }

    /// Threads for what blocks or burns (bcrypt), shared by all services of the process.
    private static let workerThreads = 2
    private static let flushSeconds = 5
    /// What a process of several services calls itself.
    private static let processName = "vitrine"

    /// - Parameters:
    ///   - values: settings (`ConfigurationReader`), shared by all services of the process.
    ///   - platform: all services, also those that run elsewhere: whoever starts first declares the queues of all.
    ///   - telemetry: gives each service its telemetry by its name; nil makes the usual pipeline.
    package init(
        services: [ServiceDefinition], of platform: [ServiceDefinition] = [], values: [String: String],
        group: EventLoopGroup, role: ServiceRole = .whole,
        telemetry: (@Sendable (String) -> Telemetry)? = nil
    ) {
        self.services = services
        self.platform = platform
        self.values = values
        self.group = group
        self.role = role
        makeTelemetry = telemetry
    }

    // MARK: Start

    /// Starts everything; on an error stops what had started, and throws it.
    /// - Throws: `ConfigurationError` with everything that is wrong, `RouteConflict`, `ServiceStartError`.
    package func start() async throws {
        do {
            let runners = try await build()
            await pipeline?.start()
            // A crash is the process's, whichever of its services was the cause.
            pipeline?.reportCrashes(as: services.count == 1 ? services[0].name : Self.processName)
            state.withLock { $0.runtime }?.start()
            if let lead = runners.first?.application {
                try await lead.platform.directory.start(
                    telemetry: lead.telemetry, metrics: lead.platform.processMetrics)
            }
            try await prepare(runners)
            for runner in runners { try await runner.start() }
        } catch {
            await stop()
            throw error
        }
    }

    /// Puts the services together without starting anything.
    private func build() async throws -> [ServiceRunner] {
        let configuration = ConfigurationReader(values: values)
        let workers = WorkerPool(threads: Self.workerThreads)
        let scrapes = MetricsEndpoint.makeThread()
        state.withLock { $0.pools = [workers, scrapes] }
        let pipeline = makeTelemetry == nil ? makePipeline() : nil
        state.withLock { $0.pipeline = pipeline }
        // The process tells of itself in each of its services, whoever made their telemetry.
        let process = pipeline?.processMetrics ?? MetricRegistry()
        ProcessMetrics.register(in: process)
        let runtime = RuntimeMetrics(group: group, pools: [workers, scrapes], registry: process)
        state.withLock { $0.runtime = runtime }
        let platform = Platform(
            configuration: configuration, group: group, workers: workers, scrapes: scrapes, processMetrics: process,
            role: role)
        state.withLock { $0.directory = platform.directory }
        var runners: [ServiceRunner] = []
        for service in services {
            guard let telemetry = makeTelemetry?(service.name) ?? pipeline?.telemetry(for: service.name) else {
                continue
            }
            telemetry.metrics.include(process)
            ProcessLead.show(isLead: runners.isEmpty, in: telemetry.metrics)
            let application = Application(definition: service, platform: platform, telemetry: telemetry)
            try await service.build(application)
            do { try application.events?.declare(self.platform) } catch {
                throw ServiceStartError(service.name, "its events", error, advice: "")
            }
            do { try application.checkTasks() } catch {
                throw ServiceStartError(service.name, "its tasks", error, advice: "")
            }
            runners.append(try ServiceRunner(application))
        }
        try validate(configuration)
        let built = runners
        state.withLock { $0.runners = built }
        return built
    }

    private func makePipeline() -> TelemetryPipeline {
        TelemetryPipeline(values: values, group: group, hasManyServices: services.count > 1)
    }

    /// Services share settings: what is wrong with one is told once.
    private func validate(_ configuration: ConfigurationReader) throws {
        do {
            try configuration.validate()
        } catch let error as ConfigurationError {
            var problems: [String] = []
            for problem in error.problems where !problems.contains(problem) { problems.append(problem) }
            throw ConfigurationError(problems: problems)
        }
    }

    /// Databases are migrated side by side: they have nothing to do with each other.
    private func prepare(_ runners: [ServiceRunner]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for runner in runners {
                tasks.addTask { try await runner.prepare() }
            }
            try await tasks.waitForAll()
        }
    }

    // MARK: Stop

    /// Readiness off, out of Consul, stop accepting, finish, stop in reverse order, flush telemetry.
    package func stop() async {
        let stopping = state.withLock { state in
            defer { state = State() }
            return state
        }
        for runner in stopping.runners { runner.beginDrain() }
        // Before anything is closed: whoever still comes is answered, until nobody does.
        await withTaskGroup(of: Void.self) { tasks in
            for runner in stopping.runners { tasks.addTask { await runner.leave() } }
        }
        for runner in stopping.runners.reversed() { await runner.stop() }
        await stopping.directory?.stop()
        stopping.runtime?.stop()
        for pool in stopping.pools { pool.shutdown() }
        await stopping.pipeline?.shutdown(timeoutSeconds: Self.flushSeconds)
    }

    private var pipeline: TelemetryPipeline? { state.withLock { $0.pipeline } }

    // MARK: What runs

    /// Where each service listens, after `start`.
    package var endpoints: [(name: String, url: String)] {
        state.withLock { $0.runners }.map { ($0.application.definition.name, $0.url) }
    }

    /// A running service's application: for tests that look at its clients.
    package func application(_ name: String) -> Application? {
        state.withLock { $0.runners }.first { $0.application.definition.name == name }?.application
    }

    // MARK: Migrations

    /// Brings one service's database to its newest schema, without starting anything.
    /// - Returns: the names of what was applied.
    /// - Throws: `ConfigurationError`, `MigrationError`, `PostgreSQLError`.
    package static func migrate(
        _ definition: ServiceDefinition, values: [String: String], group: EventLoopGroup
    ) async throws -> [String] {
        let configuration = ConfigurationReader(values: values)
        guard let url = Application.databaseURL(definition, configuration) else {
            try configuration.validate()
            return []
        }
        try configuration.validate()
        return try await ServiceRunner.migrate(definition, url: url, group: group)
    }
}
