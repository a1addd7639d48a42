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
    let directory: ServiceDirectory
    let tokens: TokenSigner
    let identities: IdentitySigner
    let settings: PlatformSettings

    init(configuration: ConfigurationReader, group: EventLoopGroup, workers: WorkerPool) {
        self.configuration = configuration
        self.group = group
        self.workers = workers
        directory = ServiceDirectory(configuration: configuration)
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
    /// `DATABASE_URL`: the server; each service puts the name of its database into the path.
    let databaseURL: String?
    /// `REDIS_URL`.
    let redisURL: String?
    /// `RABBITMQ_URL`.
    let brokerURL: String?
    /// `DATABASE_POOL_SIZE`: connections for each service and loop.
    let poolSizePerLoop: Int
    /// `REQUEST_DEADLINE_MS`: how long a request may take when its caller does not say.
    let requestDeadlineMilliseconds: Int
    /// `DRAIN_TIMEOUT_SECONDS`: how long requests under way may take when a service stops.
    let drainTimeoutSeconds: Int
    /// `MESSAGE_RETRY_DELAYS_MS`: pauses before a failed message comes again; after the last one it is a dead letter.
    let retryDelaysMilliseconds: [Int]

    init(_ configuration: ConfigurationReader) {
        host = configuration.string("VITRINE_HOST", default: "127.0.0.1")
        databaseURL = configuration.optionalString("DATABASE_URL")
        redisURL = configuration.optionalString("REDIS_URL")
        brokerURL = configuration.optionalString("RABBITMQ_URL")
        poolSizePerLoop = configuration.int("DATABASE_POOL_SIZE", default: 8, in: 1...100)
        requestDeadlineMilliseconds = configuration.int("REQUEST_DEADLINE_MS", default: 10_000, in: 100...600_000)
        drainTimeoutSeconds = configuration.int("DRAIN_TIMEOUT_SECONDS", default: 10, in: 0...300)
        let text = configuration.string("MESSAGE_RETRY_DELAYS_MS", default: "1000,5000,30000,120000,600000")
        let delays = text.split(separator: ",").compactMap { Int($0) }
        if delays.isEmpty || delays.count != text.split(separator: ",").count || delays.contains(where: { $0 < 1 }) {
            configuration.report("MESSAGE_RETRY_DELAYS_MS is '\(text)': expected milliseconds separated by commas")
        }
        retryDelaysMilliseconds = delays
    }
}
