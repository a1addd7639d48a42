/// The fields after the last chunk (RFC 9112, section 7.1.2): checked like header fields, then dropped.
struct TrailerSection: Sendable {
    private static let maxBytes = 4096
    /// What frames, routes or authorizes a message must come before its body (RFC 9110, section 6.5.1).
    private static let forbidden: [StaticString] = [
        "content-length", "transfer-encoding", "host", "connection", "keep-alive", "te", "trailer", "upgrade",
        "expect", "authorization", "cookie", "set-cookie", "content-type", "content-encoding", "content-range",
    ]

    private var line: [UInt8] = []
    private var byteCount = 0
    private var lineCount = 0

    /// Takes the next byte.
    /// - Returns: true when it ends the section.
    mutating func advance(_ byte: UInt8, _ limits: HTTPLimits) throws(HTTPParseError) -> Bool {
        byteCount += 1
        guard byteCount <= Self.maxBytes else { throw Self.tooLarge }
        guard byte == 0x0A else {
            guard line.last != 0x0D else {
                throw .bad("bare_carriage_return", "a trailer holds a CR without LF")
            }
            line.append(byte)
            return false
        }
        guard line.last == 0x0D else { throw .bad("bare_line_feed", "a trailer ends in LF without CR") }
        if line.count == 1 { return true }
        lineCount += 1
        guard lineCount <= limits.maxFieldCount else { throw Self.tooLarge }
        try check(line.span)
        line.removeAll(keepingCapacity: true)
        return false
    }

    private func check(_ line: Span<UInt8>) throws(HTTPParseError) {
        var index = 0
        while ByteClass.token.contains(line[index]) { index += 1 }
        let end = line.count - 1
        guard index > 0, line[index] == 0x3A, line.indexOfControl(from: index, to: end) == end else {
            throw .bad("trailer_malformed", "a trailer is malformed")
        }
        for name in Self.forbidden where line.equals(name, 0..<index) {
            throw .bad("trailer_forbidden", "a trailer holds a field that belongs before the body")
        }
    }

    private static let tooLarge = HTTPParseError(
        .headerFieldsTooLarge, "trailers_too_large", "the trailers are larger than this server takes")
}
