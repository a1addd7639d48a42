internal import HTTPCodec

/// One request and its response on a client connection.
///
/// Safety (`@unchecked Sendable`): touched on the connection's loop only.
final class HTTPClientExchange: @unchecked Sendable {
    let method: HTTPMethod
    let observation: HTTPClientObservation?
    /// Who waits for the head.
    enum Receiver {
        case task(UnsafeContinuation<HTTPResponse, any Error>)
        case callback((Result<HTTPResponse, any Error>) -> Void)

        func resume(_ result: Result<HTTPResponse, any Error>) {
            switch self {
            case .task(let continuation): continuation.resume(with: result)
            case .callback(let callback): callback(result)
            }
        }
    }

    var receiver: Receiver?
    /// Set once the exchange is over before anybody waited.
    var failure: (any Error)?
    /// Whether any byte of the response has come.
    var hasResponse = false
    var keepsAlive = false
    /// Whether the request is written as a whole.
    var isRequestSent = false
    /// Writes a streamed body of the request.
    var pump: Task<Void, Never>?
    /// The body of the response; nil before its head.
    var decoder: HTTPBodyDecoder?
    /// Where it goes, unless it came whole.
    var channel: HTTPBodyChannel?

    init(method: HTTPMethod, observation: HTTPClientObservation?) {
        self.method = method
        self.observation = observation
    }

    /// Who waits, to be resumed once.
    func takeReceiver() -> Receiver? {
        defer { receiver = nil }
        return receiver
    }
}

/// A kept connection turned out to be dead before any byte of a response: the request may be sent again.
struct StaleConnection: Error {}
