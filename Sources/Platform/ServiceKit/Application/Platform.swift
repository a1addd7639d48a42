internal import Configuration
internal import EventLoop
internal import HTTP
internal import Resilience
internal import Security
internal import Telemetry

/// Settings and objects that every service of a process shares.
struct Platform: Sendable {
    let configuration: ConfigurationReader
    let group: EventLoopGroup
    let workers: WorkerPool
    /// Where `/metrics` is put together.
    let scrapes: WorkerPool
    let directory: ServiceDirectory
    /// Nil without `CONSUL_HTTP_ADDR`.
    let consul: ConsulSettings?
    /// What all services of the process show.
    let processMetrics: MetricRegistry
    let tokens: TokenSigner
    let identities: IdentitySigner
    let settings: PlatformSettings
    let role: ServiceRole

    init(
        configuration: ConfigurationReader, group: EventLoopGroup, workers: WorkerPool, scrapes: WorkerPool,
        processMetrics: MetricRegistry, role: ServiceRole
    ) {
        self.role = role
        self.configuration = configuration
        self.group = group
        self.workers = workers
        self.scrapes = scrapes
        self.processMetrics = processMetrics
        consul = ConsulSettings(configuration)
        directory = ServiceDirectory(configuration: configuration, group: group, consul: consul)
        tokens = TokenSigner(secret: Self.secret("JWT_SECRET", configuration))
        identities = IdentitySigner(secret: Self.secret("IDENTITY_SECRET", configuration))
        settings = PlatformSettings(configuration)
    }

    private static let minSecretBytes = 32

    /// A secret that is too short is reported by `validate`; until then something unguessable stands in for it.
    private static func secret(_ name: String, _ configuration: ConfigurationReader) -> String {
        let secret = configuration.secret(name, minimumBytes: minSecretBytes)
        return secret.utf8.count >= minSecretBytes ? secret : Crypto.randomToken(bytes: minSecretBytes)
    }
}

/// Settings that do not belong to one service.
struct PlatformSettings: Sendable {
    /// `VITRINE_HOST`: the address that services listen on.
    let host: String
    /// `VITRINE_ADVERTISE_HOST`: the address that others are told, where it is not the one that is listened on.
    let advertisedHost: String?
    /// `DATABASE_POOL_SIZE`: connections for each service and loop.
    let poolSizePerLoop: Int
    /// `REQUEST_DEADLINE_MS`: how long a request may take when its caller does not say.
    let requestDeadlineMilliseconds: Int
    /// `DRAIN_TIMEOUT_SECONDS`: how long requests under way may take when a service stops.
    let drainTimeoutSeconds: Int
    /// `INVARIANT_CHECK_MS`: how often each service holds its data against the invariants.
    let invariantCheckMilliseconds: Int
    let tasks: TaskSettings
    /// `VITRINE_FAULTS`: `enabled` gives every service switches for faults, for drills; never in production.
    let hasFaults: Bool

    init(_ configuration: ConfigurationReader) {
        host = configuration.string("VITRINE_HOST", default: "127.0.0.1")
        advertisedHost = configuration.optionalString("VITRINE_ADVERTISE_HOST")
        poolSizePerLoop = configuration.int("DATABASE_POOL_SIZE", default: 8, in: 1...100)
        requestDeadlineMilliseconds = configuration.int("REQUEST_DEADLINE_MS", default: 10_000, in: 100...600_000)
        drainTimeoutSeconds = configuration.int("DRAIN_TIMEOUT_SECONDS", default: 10, in: 0...300)
        invariantCheckMilliseconds = configuration.int("INVARIANT_CHECK_MS", default: 10_000, in: 100...3_600_000)
        tasks = TaskSettings(configuration)
        hasFaults =
            configuration.choice("VITRINE_FAULTS", of: ["disabled", "enabled"], default: "disabled") == "enabled"
    }
}

/// What a process does for its services.
package enum ServiceRole: Sendable {
    /// Everything; the tasks too, unless `TASKS_IN_SERVICE` says otherwise.
    case whole
    /// Their tasks only, with health and metrics on a port of its own (`<NAME>_WORKER_PORT`).
    case worker

    /// How far a worker's port is from its service's.
    package static let workerPortOffset = 1_000
}
