package import EventLoop
internal import Synchronization

/// An HTTP/1.1 server: one listener a loop on the same port (`SO_REUSEPORT`), strict parsing, bounded everything.
///
/// A server that was started serves until it is drained, whoever still refers to it.
package final class HTTPServer: Sendable {
    /// Limits and time-outs; the defaults are those of the reliability policy.
    package struct Configuration: Sendable {
        /// An IP literal or `localhost`.
        package var host = "127.0.0.1"
        /// 0 takes a free port; `port` of the server tells which.
        package var port = 0
        package var maxHeadBytes = 16 * 1024
        package var maxTargetBytes = 8 * 1024
        package var maxFieldCount = 100
        package var maxBodyBytes = 1024 * 1024
        /// From the first byte of a head (or the connection's begin) to its last.
        package var headTimeoutSeconds = 10
        /// In this time a body must end, or grow by `minBodyProgressBytes`.
        package var bodyProgressTimeoutSeconds = 10
        package var minBodyProgressBytes = 1024
        /// Between two requests.
        package var idleTimeoutSeconds = 60
        /// In this time a client must take some of what was written for it.
        package var writeProgressTimeoutSeconds = 30
        package var maxConnections = 10_000
        package var maxConnectionsPerAddress = 256
        package init() {}
    }

    private let configuration: Configuration
    private let shards: [HTTPServerShard]
    private let gate: HTTPConnectionGate
    private let boundPort = Atomic<Int>(0)

    package convenience init(configuration: Configuration, group: EventLoopGroup, handler: @escaping HTTPHandler) {
        self.init(configuration: configuration, group: group, responder: .handler(handler))
    }

    /// - Parameter dispatcher: decides about each request at once.
    package convenience init(
        configuration: Configuration, group: EventLoopGroup, dispatcher: @escaping HTTPDispatcher
    ) {
        self.init(configuration: configuration, group: group, responder: .dispatcher(dispatcher))
    }

    private init(configuration: Configuration, group: EventLoopGroup, responder: HTTPServerShard.Responder) {
        self.configuration = configuration
        let gate = HTTPConnectionGate(
            maxConnections: configuration.maxConnections,
            maxConnectionsPerAddress: configuration.maxConnectionsPerAddress)
        self.gate = gate
        shards = group.loops.map { loop in
            HTTPServerShard(loop: loop, configuration: configuration, gate: gate, responder: responder)
        }
    }

    /// The port that is bound. After `start`.
    package var port: Int { boundPort.load(ordering: .relaxed) }

    /// Connections that are open.
    package var connectionCount: Int { gate.connectionCount }
    /// Connections that were answered 503 because there were too many, since the start.
    package var refusedConnections: Int { gate.refusedConnections }
    /// Requests that were malformed, too large or too slow, since the start.
    package var refusedRequests: Int { gate.refusedRequests }

    /// Binds and accepts.
    /// - Throws: an error that names the address when it is in use or not permitted.
    package func start() async throws {
        let host = configuration.host == "localhost" ? "127.0.0.1" : configuration.host
        guard var address = SocketAddress(host, port: configuration.port) else {
            throw HTTPServerError.invalidAddress(host: configuration.host, port: configuration.port)
        }
        if configuration.port != 0 { try TCPListener.refuseIfInUse(address) }
        do {
            for shard in shards {
                // The first one finds a free port, the others share it.
                let wanted = address
                address.port = try await shard.loop.run { try shard.listen(wanted) }
            }
        } catch {
            await drain(timeoutSeconds: 0)
            throw error
        }
        boundPort.store(address.port, ordering: .relaxed)
    }

    /// Stops accepting, finishes the requests under way, closes idle connections; what is left after the deadline
    /// is cut.
    /// - Parameter timeoutSeconds: 0 cuts at once.
    package func drain(timeoutSeconds: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for shard in shards {
                group.addTask {
                    // Draining throws nothing, and must go on even when the caller's task is cancelled.
                    await Task { try? await shard.loop.run { await shard.drain(timeoutSeconds: timeoutSeconds) } }.value
                }
            }
        }
    }
}

/// Why a server did not start.
package enum HTTPServerError: Error, CustomStringConvertible, Sendable {
    case invalidAddress(host: String, port: Int)

    package var description: String {
        switch self {
        case .invalidAddress(let host, let port):
            "cannot listen on \(host), port \(port): give an IP address and a port from 0 to 65535"
        }
    }
}
