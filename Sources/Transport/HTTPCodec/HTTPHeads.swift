/// Bounds of what is read (RFC 9112 leaves them to the recipient).
package struct HTTPLimits: Sendable {
    /// Request line and header fields, in bytes: 431 beyond.
    package var maxHeadBytes = 16 * 1024
    /// Request target, in bytes: 414 beyond.
    package var maxTargetBytes = 8 * 1024
    /// Header fields: 431 beyond. The same bounds trailers.
    package var maxFieldCount = 100
    /// Body, in bytes, decoded: 413 beyond.
    package var maxBodyBytes = 1024 * 1024
    package init() {}
}

/// How the length of a body is told (RFC 9112, section 6.3).
package enum HTTPFraming: Hashable, Sendable {
    case none
    case length(Int)
    case chunked
    /// Responses only.
    case untilClose
}

/// The head of a request that passed every check.
package struct HTTPRequestHead: Sendable {
    package var method: HTTPMethod
    /// Origin form (`/path?query`) or `*`; an absolute form is reduced to it.
    package var target: String
    /// 0 or 1, of HTTP/1.
    package var minorVersion: Int
    package var fields: HTTPFields
    package var framing: HTTPFraming
    package var keepsAlive: Bool
    package var expectsContinue: Bool
    /// Bytes of the buffer that the head took.
    package var byteCount: Int
}

/// The head of a response that passed every check.
package struct HTTPResponseHead: Sendable {
    package var status: HTTPStatus
    package var minorVersion: Int
    package var fields: HTTPFields
    package var framing: HTTPFraming
    package var keepsAlive: Bool
    package var byteCount: Int
}

/// Why a message is refused. Nothing of the peer's input is in it.
package struct HTTPParseError: Error, Hashable, Sendable {
    /// What a server answers before it closes the connection.
    package let status: HTTPStatus
    /// Stable, for programs: `content_length_repeated`.
    package let code: String
    /// For people: what was wrong.
    package let message: String

    package init(_ status: HTTPStatus, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    static let bodyTooLarge = HTTPParseError(
        .contentTooLarge, "body_too_large", "the body is larger than this server takes")

    static func bad(_ code: String, _ message: String) -> HTTPParseError {
        HTTPParseError(.badRequest, code, message)
    }
}
