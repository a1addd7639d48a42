package import EventLoop

/// Runs services in this process: telemetry, migrations, ordered start, readiness, graceful drain.
package final class ServiceHost: Sendable {
    /// - Parameter values: settings (`ConfigurationReader`), shared by all services of the process.
    package init(services: [ServiceDefinition], values: [String: String], group: EventLoopGroup) {
        fatalError("skeleton")
    }

    /// Starts everything; on an error stops what had started, and throws it.
    package func start() async throws { fatalError("skeleton") }

    /// Readiness off, stop accepting, finish, stop in reverse order, flush telemetry.
    package func stop() async { fatalError("skeleton") }

    /// Where each service listens, after `start`.
    package var endpoints: [(name: String, url: String)] { fatalError("skeleton") }
}
