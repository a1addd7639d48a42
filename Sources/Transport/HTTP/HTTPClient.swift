package import EventLoop
internal import HTTPCodec
package import Telemetry

/// An HTTP/1.1 client for plain-text peers (the platform's own services): a keep-alive pool a loop, no locks.
///
/// Each attempt is one CLIENT span with its metric, and carries the current trace, baggage and request id.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        package var connectTimeoutMilliseconds = 1_000
        package var requestTimeoutMilliseconds = 10_000
        package var maxConnectionsPerHostAndLoop = 64
        /// Requests that may wait for a connection of one host and loop.
        package var maxWaitingPerHostAndLoop = 1_024
        package var idleTimeoutSeconds = 30
        package var maxResponseBytes = 16 * 1024 * 1024
        package init() {}
    }

    private let configuration: Configuration
    private let group: EventLoopGroup
    private let loops: [ClientLoop]
    private let telemetry: HTTPClientTelemetry?

    /// - Parameter telemetry: nil for exporters, which must not observe themselves.
    package init(configuration: Configuration = .init(), group: EventLoopGroup, telemetry: Telemetry?) {
        self.configuration = configuration
        self.group = group
        self.telemetry = telemetry.map(HTTPClientTelemetry.init)
        let resolver = NameResolver()
        loops = group.loops.map { ClientLoop(loop: $0, configuration: configuration, resolver: resolver) }
    }

    /// Sends a request and returns when the head of the response is there; its body streams.
    /// - Parameters:
    ///   - url: `http://host:port` of the peer, without a path.
    ///   - timeoutMilliseconds: nil takes the configured one; a shorter deadline of the current context wins.
    ///   - urlTemplate: the route, for the span's name; never the path itself.
    /// - Throws: `HTTPClientError`.
    package func send(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int? = nil, urlTemplate: String? = nil
    ) async throws -> HTTPResponse {
        let host = try HTTPHost(url: url)
        let loop = group.next()
        guard loop.isCurrent else {
            return try await loop.run {
                try await self.attempt(request, host, loop, timeoutMilliseconds, urlTemplate)
            }
        }
        return try await attempt(request, host, loop, timeoutMilliseconds, urlTemplate)
    }

    private func attempt(
        _ request: HTTPRequest, _ host: HTTPHost, _ loop: EventLoop, _ timeoutMilliseconds: Int?,
        _ urlTemplate: String?
    ) async throws -> HTTPResponse {
        var timeout = timeoutMilliseconds ?? configuration.requestTimeoutMilliseconds
        let context = TelemetryContext.current
        if let deadline = context.deadline {
            let left = Int(deadline) - Int(MonotonicClock.nanoseconds())
            timeout = min(timeout, left / 1_000_000)
            guard timeout > 0 else { throw HTTPClientError.timedOut }
        }
        let clientLoop = loops[loop.index]
        var request = request
        guard let telemetry else {
            return try await clientLoop.send(request, to: host, timeoutMilliseconds: timeout)
        }
        return try await telemetry.observe(&request, host, urlTemplate, timeoutMilliseconds: timeout) { request in
            try await clientLoop.send(request, to: host, timeoutMilliseconds: timeout)
        }
    }

    /// Closes idle connections and refuses new requests.
    package func shutdown() async {
        for clientLoop in loops { _ = try? await clientLoop.loop.run { clientLoop.shutDown() } }
    }
}

/// Why a request got no response.
package enum HTTPClientError: Error, Sendable, Equatable {
    case invalidURL(String)
    case connectFailed(String)
    case timedOut
    case disconnected
    case malformedResponse(String)
    case responseTooLarge
    case tooManyWaiting
    case shutDown

    /// A fixed word for `error.type`.
    package var type: String {
        switch self {
        case .invalidURL: "invalid_url"
        case .connectFailed: "connect_failed"
        case .timedOut: "timeout"
        case .disconnected: "disconnected"
        case .malformedResponse: "malformed_response"
        case .responseTooLarge: "response_too_large"
        case .tooManyWaiting: "too_many_waiting"
        case .shutDown: "shut_down"
        }
    }
}
