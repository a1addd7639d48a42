package import EventLoop
package import Telemetry

/// An HTTP/1.1 client for plain-text peers (the platform's own services): a keep-alive pool a loop, no locks.
///
/// Each attempt is one CLIENT span with its metric, and carries the current trace, baggage and request id.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        package var connectTimeoutMilliseconds = 1_000
        package var requestTimeoutMilliseconds = 10_000
        package var maxConnectionsPerHostAndLoop = 64
        package var idleTimeoutSeconds = 30
        package var maxResponseBytes = 16 * 1024 * 1024
        package init() {}
    }

    /// - Parameter telemetry: nil for exporters, which must not observe themselves.
    package init(configuration: Configuration = .init(), group: EventLoopGroup, telemetry: Telemetry?) {
        fatalError("skeleton")
    }

    /// Sends a request and returns when the head of the response is there; its body streams.
    /// - Parameters:
    ///   - url: `http://host:port` of the peer, without a path. - timeoutMilliseconds: nil takes the configured one;
    ///     a shorter deadline of the current context wins.
    /// - Throws: `HTTPClientError`.
    package func send(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int? = nil, urlTemplate: String? = nil
    ) async throws -> HTTPResponse { fatalError("skeleton") }

    /// Closes idle connections and refuses new requests.
    package func shutdown() async { fatalError("skeleton") }
}

/// Why a request got no response.
package enum HTTPClientError: Error, Sendable {
    case invalidURL(String)
    case connectFailed(String)
    case timedOut
    case disconnected
    case malformedResponse(String)
    case responseTooLarge
    case tooManyWaiting
    case shutDown
}
