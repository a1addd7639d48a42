internal import HTTP
internal import TLS
internal import TelemetrySDK

/// What became of one request to a collector, by the rules of OTLP 1.11.
enum ExportOutcome: Equatable {
    /// Taken; `rejected` of its items were refused for good and must not be sent again.
    case accepted(rejected: Int, message: String)
    /// To be tried again, after the header's wait when there is one; `detail` says more than the type, for people.
    case retry(errorType: String, retryAfter: String?, detail: String = "")
    /// Too much at once: parts of it may be taken.
    case tooLarge(errorType: String)
    /// Refused for good.
    case refused(errorType: String)

    /// - Parameters:
    ///   - body: of the response, as far as it was read.
    ///   - isJSON: whether the request, and so the response, is `application/json`.
    init(status: Int, retryAfter: String?, body: [UInt8], isJSON: Bool = false) {
        switch status {
        case 200..<300:
            // Whatever a proxy puts there, a 2xx means that the items were taken.
            let response = isJSON ? OTLPResponse(json: body) : OTLPResponse(body)
            self = .accepted(rejected: response?.rejectedItems ?? 0, message: response?.errorMessage ?? "")
        case 429, 502, 503, 504: self = .retry(errorType: String(status), retryAfter: retryAfter)
        case 413: self = .tooLarge(errorType: String(status))
        default: self = .refused(errorType: String(status))
        }
    }

    init(_ error: HTTPClientError) {
        switch error {
        case .connectFailed(let why): self = .retry(errorType: "connect_failed", retryAfter: nil, detail: why)
        // A certificate may be renewed, a proxy be put right.
        case .tlsFailed(let error):
            self = .retry(errorType: error.reason.rawValue, retryAfter: nil, detail: error.description)
        case .timedOut: self = .retry(errorType: "timeout", retryAfter: nil)
        case .disconnected: self = .retry(errorType: "disconnected", retryAfter: nil)
        case .tooManyWaiting: self = .retry(errorType: "too_many_waiting", retryAfter: nil)
        case .invalidURL: self = .refused(errorType: "invalid_url")
        case .malformedResponse: self = .refused(errorType: "malformed_response")
        case .responseTooLarge: self = .refused(errorType: "response_too_large")
        case .shutDown: self = .refused(errorType: "shut_down")
        case .invalidRequest: self = .refused(errorType: "invalid_request")
        }
    }

    /// Empty on success.
    var errorType: String {
        switch self {
        case .accepted: ""
        case .retry(let type, _, _), .refused(let type), .tooLarge(let type): type
        }
    }
}
