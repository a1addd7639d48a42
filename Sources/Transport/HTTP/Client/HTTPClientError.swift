package import TLS
internal import Telemetry

/// Why a request got no response, or its response no end.
package enum HTTPClientError: Error, Hashable, Sendable {
    /// The URL is not `http://host[:port]`, or `https://` where the client has no settings for TLS.
    case invalidURL(String)
    /// Nobody listens there, or nobody could be reached in time; nothing was sent.
    case connectFailed(String)
    /// The connection could not be encrypted, or its peer not be trusted.
    case tlsFailed(TLSError)
    /// The deadline passed.
    case timedOut
    /// The peer closed the connection in the middle.
    case disconnected
    case malformedResponse(String)
    case responseTooLarge
    /// All connections to this peer are in use and too many callers wait for one.
    case tooManyWaiting
    case shutDown
    /// The request has a method that cannot be sent, or a streamed body that is not as long as it says.
    case invalidRequest(String)
}

extension HTTPClientError: ErrorTypeProviding {
    /// Stable and low in cardinality.
    package var errorType: String {
        switch self {
        case .invalidURL: "invalid_url"
        case .connectFailed: "connect_failed"
        case .tlsFailed(let error): error.reason.rawValue
        case .timedOut: "timeout"
        case .disconnected: "disconnected"
        case .malformedResponse: "malformed_response"
        case .responseTooLarge: "response_too_large"
        case .tooManyWaiting: "too_many_waiting"
        case .shutDown: "shut_down"
        case .invalidRequest: "invalid_request"
        }
    }
}

extension HTTPClientError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidURL(let url): "'\(url)' is not a URL of the form http://host:port (or https, where TLS is set up)"
        case .connectFailed(let why): "no connection: \(why)"
        case .tlsFailed(let error): error.description
        case .timedOut: "no answer in time"
        case .disconnected: "the peer closed the connection before its answer was complete"
        case .malformedResponse(let why): "the peer's answer is not HTTP/1.1: \(why)"
        case .responseTooLarge: "the peer's answer is larger than this client takes"
        case .tooManyWaiting: "all connections to this peer are in use and too many requests wait: try again later"
        case .shutDown: "the client is shut down"
        case .invalidRequest(let why): "the request cannot be sent: \(why)"
        }
    }
}
