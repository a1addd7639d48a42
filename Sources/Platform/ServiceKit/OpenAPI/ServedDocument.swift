package import HTTP
internal import HTTPCodec
internal import Security

/// A JSON document that is answered as it is, with a tag: whoever has it already is told so.
package struct ServedDocument: Sendable {
    package let bytes: [UInt8]
    /// With its quotes.
    package let tag: String

    /// Bytes of the digest that make the tag.
    private static let tagBytes = 12

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let digits = Array("0123456789abcdef".utf8)
        let digest = Crypto.sha256(bytes).prefix(Self.tagBytes)
        let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        tag = "\"" + String(decoding: text, as: UTF8.self) + "\""
    }

    /// 200, or 304 when the request's `If-None-Match` has the tag (RFC 9110, section 13.1.2).
    package func response(to request: Request) -> HTTPResponse {
        let isKnown = request.header("if-none-match").map { $0 == "*" || $0.contains(tag) } ?? false
        var response = isKnown ? HTTPResponse.empty(.notModified) : HTTPResponse.json(bytes: bytes)
        response.headers.add("etag", tag)
        response.headers.add("cache-control", "no-cache")
        return response
    }
}
