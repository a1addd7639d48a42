package import HTTPCodec

/// A request as the server hands it to a handler, and as a caller hands it to the client.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// The request target as sent: path and query in origin form (an absolute form is reduced to it).
    package var target: String
    package var headers: HTTPFields
    package var body: HTTPBody
    /// The peer's IP address, without its port.
    package var peerAddress: String
    /// Of HTTP/1: 1, or 0 for an old client. Received requests have it; what is sent is always HTTP/1.1.
    package var minorVersion = 1

    package init(
        method: HTTPMethod, target: String, headers: HTTPFields = HTTPFields(), body: HTTPBody = .empty,
        peerAddress: String = ""
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.peerAddress = peerAddress
    }

    /// The target up to the question mark, still percent-encoded.
    package var path: Substring { queryMark.map { target[..<$0] } ?? target[...] }
    /// What follows the question mark, still percent-encoded; nil without one.
    package var query: Substring? { queryMark.map { target[target.utf8.index(after: $0)...] } }

    private var queryMark: String.Index? { Self.queryMark(in: target) }

    /// Where the query of a request target begins, with its question mark; nil without one.
    package static func queryMark(in target: String) -> String.Index? {
        let bytes = target.utf8.span
        for offset in bytes.indices where bytes[offset] == UInt8(ascii: "?") {
            return target.utf8.index(target.startIndex, offsetBy: offset)
        }
        return nil
    }
}

/// A response as a handler returns it, and as the client hands it to its caller.
package struct HTTPResponse: Sendable {
    package var status: HTTPStatus
    package var headers: HTTPFields
    package var body: HTTPBody

    package init(status: HTTPStatus = .ok, headers: HTTPFields = HTTPFields(), body: HTTPBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Answers a request. Runs on the connection's event loop; must not block. A thrown error becomes a bare 500.
package typealias HTTPHandler = @Sendable (HTTPRequest) async throws -> HTTPResponse
