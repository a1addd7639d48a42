internal import HTTPCodec

/// The answers that the transport gives by itself, as problem details (RFC 9457). Nothing of the peer's input and
/// nothing of a handler's error is in them.
extension HTTPResponse {
    static let unexpectedError = problem(.internalServerError, "internal_error", "the request could not be handled")
    static let overloaded: HTTPResponse = {
        var response = problem(.serviceUnavailable, "too_many_connections", "too many connections: try again later")
        response.headers.set("retry-after", "1")
        return response
    }()
    static let requestTimedOut = problem(.requestTimeout, "request_timeout", "the request did not arrive in time")
    static let bodyTooLarge = problem(.contentTooLarge, "body_too_large", "the body is larger than this server takes")

    /// The answer to an error that reading a request's body threw (malformed, too large, too slow); nil for an error
    /// of anybody else. A router that turns errors into responses asks this first.
    package init?(transportError error: any Error) {
        switch error {
        case let error as HTTPParseError: self.init(parsing: error)
        case is HTTPBodyTooLarge: self = .bodyTooLarge
        case HTTPBodyCut.timedOut, HTTPBodyCut.disconnected: self = .requestTimedOut
        default: return nil
        }
    }

    init(parsing error: HTTPParseError) { self = .problem(error.status, error.code, error.message) }

    /// - Parameters: code, message: constants of ours, free of characters that JSON escapes.
    static func problem(_ status: HTTPStatus, _ code: String, _ message: String) -> HTTPResponse {
        var text = "{\"title\":\""
        for character in message {
            if character == "\"" || character == "\\" { text.append("\\") }
            text.append(character)
        }
        text += "\",\"status\":\(status.code),\"code\":\"\(code)\"}"
        var fields = HTTPFields()
        fields.add("content-type", "application/problem+json")
        return HTTPResponse(status: status, headers: fields, body: .bytes(Array(text.utf8)))
    }
}
