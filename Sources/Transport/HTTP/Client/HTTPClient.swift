package import EventLoop
package import TLS
package import Telemetry

/// An HTTP/1.1 client for the platform's own services, in plain text, and for collectors, by TLS where they want it: a
/// keep-alive pool a loop, no locks.
///
/// Each attempt is one CLIENT span with its metric, and carries the current trace, baggage and request id. A request
/// that found its kept connection dead before any byte of a response is sent once more, on a new connection, when its
/// method is idempotent (or it has an `Idempotency-Key`) and its body is in memory.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        package var connectTimeoutMilliseconds = 1_000
        /// Until the head of the response; then between two pieces of its body.
        package var requestTimeoutMilliseconds = 10_000
        package var maxConnectionsPerHostAndLoop = 64
        /// Requests that wait for a connection; more are refused.
        package var maxWaitingPerHostAndLoop = 1_024
        package var idleTimeoutSeconds = 30
        package var maxResponseBytes = 16 * 1024 * 1024
        package var maxResponseHeadBytes = 32 * 1024
        /// For `https` peers; nil refuses them.
        package var tls: TLSContext?
        package init() {}
    }

    private let group: EventLoopGroup
    private let shards: [HTTPClientShard]

    /// - Parameter telemetry: nil for exporters, which must not observe themselves.
    package init(configuration: Configuration = .init(), group: EventLoopGroup, telemetry: Telemetry?) {
        self.group = group
        shards = group.loops.map { HTTPClientShard(loop: $0, configuration: configuration, telemetry: telemetry) }
    }

    /// What idles must not outlive its client.
    deinit {
        for shard in shards { shard.loop.execute { shard.shutdown() } }
    }

    /// Sends a request and returns when the head of the response is there; its body streams.
    /// - Parameters:
    ///   - url: `http://host:port` of the peer, or `https`, without a path. - timeoutMilliseconds: nil takes the configured one;
    ///     a shorter deadline of the current context wins. - resendCount: how often the caller has sent it before.
    /// - Throws: `HTTPClientError`; `CancellationError`; what a streamed body of the request throws.
    package func send(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int? = nil, urlTemplate: String? = nil,
        resendCount: Int = 0
    ) async throws -> HTTPResponse {
        if let loop = EventLoop.current, group.owns(loop) {
            return try await shards[loop.index].send(
                request, to: url, timeoutMilliseconds: timeoutMilliseconds, urlTemplate: urlTemplate,
                resendCount: resendCount)
        }
        let shard = shards[group.next().index]
        return try await shard.loop.run {
            try await shard.send(
                request, to: url, timeoutMilliseconds: timeoutMilliseconds, urlTemplate: urlTemplate,
                resendCount: resendCount)
        }
    }

    /// The same without a task, for callers on one of the client's loops: `completion` is called there, maybe before this
    /// returns, with what `send` would return or throw.
    /// - Returns: nil when the request would have to wait for a connection, or streams: then nothing has happened, and
    ///   `send` is the way.
    package func start(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int? = nil, urlTemplate: String? = nil,
        completion: @escaping @Sendable (Result<HTTPResponse, any Error>) -> Void
    ) -> HTTPClientCall? {
        guard let loop = EventLoop.current, group.owns(loop) else { return nil }
        return shards[loop.index].start(
            request, to: url, timeoutMilliseconds: timeoutMilliseconds, urlTemplate: urlTemplate, completion)
    }

    /// Closes idle connections and refuses new requests; those under way come to their end.
    package func shutdown() async {
        for shard in shards { try? await shard.loop.run { shard.shutdown() } }
    }
}
