package import HTTP
internal import Telemetry

/// Why Consul did not do, or did not say, what it was asked. Never holds a key's value or a token.
package enum ConsulError: Error, Sendable {
    /// No answer came.
    case unreachable(HTTPClientError)
    /// 401 or 403: the token is missing, unknown, or may not do this.
    case permissionDenied
    /// Any other status that is no success: 500 without a leader, for one.
    case answered(status: Int)
    /// The answer is not what the API promises.
    case malformed(String)
    /// The answer, or the value to be written, is larger than its bound.
    case tooLarge(limit: Int)
    /// A name, key or address that cannot be sent.
    case invalid(String)
}

extension ConsulError: ErrorTypeProviding {
    /// Stable and low in cardinality.
    package var errorType: String {
        switch self {
        case .unreachable(let error): error.errorType
        case .permissionDenied: "permission_denied"
        case .answered(let status): "\(status)"
        case .malformed: "malformed_answer"
        case .tooLarge: "too_large"
        case .invalid: "invalid_request"
        }
    }
}

extension ConsulError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let error): "Consul does not answer: \(error). Check CONSUL_HTTP_ADDR"
        case .permissionDenied: "Consul refuses this: check CONSUL_HTTP_TOKEN and its policies"
        case .answered(let status): "Consul answered \(status)"
        case .malformed(let what): "Consul's answer is not what its API promises: \(what)"
        case .tooLarge(let limit): "more than \(limit) bytes: that is larger than is taken"
        case .invalid(let what): "Consul cannot be asked this: \(what)"
        }
    }
}
