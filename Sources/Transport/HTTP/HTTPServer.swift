package import EventLoop
internal import HTTPCodec
internal import Synchronization

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
        package var writeProgressTimeoutSeconds = 30
        package var maxConnections = 10_000
        package var maxConnectionsPerAddress = 256
        package init() {}

        var limits: HTTPLimits {
            var limits = HTTPLimits()
            limits.maxHeadBytes = maxHeadBytes
            limits.maxTargetBytes = maxTargetBytes
            limits.maxFieldCount = maxFieldCount
            limits.maxBodyBytes = maxBodyBytes
            return limits
        }
    }

    private let configuration: Configuration
    private let group: EventLoopGroup
    private let census: ConnectionCensus
    private let loops: [ServerLoop]
    private let boundPort = Atomic<Int>(0)

    package init(configuration: Configuration, group: EventLoopGroup, handler: @escaping HTTPHandler) {
        self.configuration = configuration
        self.group = group
        let census = ConnectionCensus(
            total: configuration.maxConnections, perAddress: configuration.maxConnectionsPerAddress)
        self.census = census
        loops = group.loops.map {
            ServerLoop(loop: $0, configuration: configuration, census: census, handler: handler)
        }
    }

    /// The port that is bound. After `start`.
    package var port: Int { boundPort.load(ordering: .acquiring) }

    /// Binds and accepts.
    /// - Throws: `TCPError` that names the address when it is in use or not permitted.
    package func start() async throws {
        var port = configuration.port
        // The kernel shares a port among all that ask for it, other processes too: ask once without sharing.
        if port != 0 { try await loops[0].loop.run { [loops, port] in try loops[0].probe(port: port) } }
        for serverLoop in loops {
            let wanted = port
            port = try await serverLoop.loop.run { try serverLoop.listen(port: wanted) }
        }
        boundPort.store(port, ordering: .releasing)
    }

    /// Connections that are open now.
    package var connectionCount: Int { census.count }

    /// Stops accepting, finishes the requests under way, closes idle connections; what is left after the deadline
    /// is cut.
    package func drain(timeoutSeconds: Int) async {
        for serverLoop in loops { _ = try? await serverLoop.loop.run { serverLoop.beginDrain() } }
        let stepMilliseconds: UInt64 = 10
        var left = timeoutSeconds * 1000
        while census.count > 0, left > 0 {
            try? await Task.sleep(nanoseconds: stepMilliseconds * 1_000_000)
            left -= Int(stepMilliseconds)
        }
        for serverLoop in loops { _ = try? await serverLoop.loop.run { serverLoop.cutAll() } }
    }
}

/// How many connections there are, in all and per client address, over all loops.
final class ConnectionCensus: Sendable {
    private struct State {
        var total = 0
        var perAddress: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let maxTotal: Int
    private let maxPerAddress: Int

    init(total: Int, perAddress: Int) {
        maxTotal = total
        maxPerAddress = perAddress
    }

    var count: Int { state.withLock { $0.total } }

    /// Counts a connection in, or says that it is one too many.
    func enter(_ address: String) -> Bool {
        state.withLock { state in
            guard state.total < maxTotal, state.perAddress[address, default: 0] < maxPerAddress else { return false }
            state.total += 1
            state.perAddress[address, default: 0] += 1
            return true
        }
    }

    func leave(_ address: String) {
        state.withLock { state in
            state.total -= 1
            let left = state.perAddress[address, default: 1] - 1
            state.perAddress[address] = left == 0 ? nil : left
        }
    }
}
