package import EventLoop

/// An HTTP/1.1 server: one listener a loop on the same port (`SO_REUSEPORT`), strict parsing, bounded everything.
package final class HTTPServer: Sendable {
    /// Limits and time-outs; the defaults are those of the reliability policy.
    package struct Configuration: Sendable {
        package var host = "127.0.0.1"
        /// 0 takes a free port; `port` of the server tells which.
        package var port = 0
        package var maxHeadBytes = 16 * 1024
        package var maxTargetBytes = 8 * 1024
        package var maxFieldCount = 100
        package var maxBodyBytes = 1024 * 1024
        package var headTimeoutSeconds = 10
        package var bodyProgressTimeoutSeconds = 10
        package var idleTimeoutSeconds = 60
        package var maxConnections = 10_000
        package var maxConnectionsPerAddress = 256
        package init() {}
    }

    package init(configuration: Configuration, group: EventLoopGroup, handler: @escaping HTTPHandler) {
        fatalError("skeleton")
    }

    /// The port that is bound. After `start`.
    package var port: Int { fatalError("skeleton") }

    /// Binds and accepts.
    /// - Throws: an error that names the address when it is in use or not permitted.
    package func start() async throws { fatalError("skeleton") }

    /// Stops accepting, finishes the requests under way, closes idle connections; what is left after the deadline
    /// is cut.
    package func drain(timeoutSeconds: Int) async { fatalError("skeleton") }
}
