package import Configuration
package import EventLoop
package import HTTP
package import PostgreSQL
package import Redis
package import Security
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

    init() { fatalError("skeleton") }

    /// The service's own database. Traps when the definition names none.
    package var database: PostgreSQLClient { fatalError("skeleton") }
    /// Traps when the definition does not use Redis.
    package var redis: RedisClient { fatalError("skeleton") }
    /// Events written in the caller's transaction and published afterwards. Traps without database and broker.
    package var outbox: Outbox { fatalError("skeleton") }
    package var tokenSigner: TokenSigner { fatalError("skeleton") }
    package var identitySigner: IdentitySigner { fatalError("skeleton") }

    /// Declares routes under a prefix; every error below it is written in this shape.
    package func routes(_ prefix: String, errors: ErrorShape = .problem, _ declare: (RouteGroup) -> Void) {
        fatalError("skeleton")
    }

    /// A handler for requests that no route takes (the gateway's proxy). The route label is what `template` says.
    package func fallback(
        template: @escaping @Sendable (HTTPRequest) -> String,
        _ handler: @escaping @Sendable (Request) async throws -> HTTPResponse
    ) { fatalError("skeleton") }

    /// Consumes an event: queue `<service>-service.<type>` bound to exchange `orders`, retries with growing delays,
    /// then the dead-letter queue. The handler runs in a transaction that also holds the inbox row, so its effects
    /// happen exactly once however often the message arrives; a thrown error rolls back and retries later.
    package func on<E: Event>(
        _ type: E.Type, _ handler: @escaping @Sendable (E, MessageContext) async throws -> Void
    ) { fatalError("skeleton") }

    /// Consumes every event of the exchange as raw JSON (an audit trail), exactly once like `on`.
    package func onEveryEvent(
        queue: String, _ handler: @escaping @Sendable (RawEvent, MessageContext) async throws -> Void
    ) { fatalError("skeleton") }

    /// Runs `body` every so often while the service runs, never twice at once; failures are logged and counted.
    package func every(milliseconds: Int, _ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        fatalError("skeleton")
    }

    /// A dependency that `/health/ready` asks: the closure throws when it is down.
    package func readiness(_ name: String, _ check: @escaping @Sendable () async throws -> Void) {
        fatalError("skeleton")
    }

    /// Something with a lifetime, started after what came before it and stopped before it.
    package func component(_ component: any Component) { fatalError("skeleton") }
}

/// Something with a lifetime. Started in order, stopped in reverse, each with a deadline.
package protocol Component: Sendable {
    var name: String { get }
    func start() async throws
    func stop() async
}
