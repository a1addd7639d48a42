/// `method SP request-target SP HTTP-version CRLF` (RFC 9112, section 3).
struct RequestLine {
    var method: HTTPMethod
    var target: String
    /// Of a target in absolute form: it replaces the Host field (section 3.2.2).
    var authority: String?
    var minorVersion: Int

    static let targetTooLong = HTTPParseError(.uriTooLong, "target_too_long", "the request target is too long")
    private static let maxMethodBytes = 32

    static func parse(_ reader: inout LineReader, _ limits: HTTPLimits) throws(HTTPParseError) -> RequestLine {
        let method = try parseMethod(&reader)
        let start = reader.position
        while reader.current > 0x20, reader.current < 0x7F { reader.position += 1 }
        let range = start..<reader.position
        guard range.count <= limits.maxTargetBytes else { throw targetTooLong }
        guard reader.current == 0x20, !range.isEmpty else {
            throw .bad("target_malformed", "the request target holds a character that must be percent-encoded")
        }
        reader.position += 1
        let minorVersion = try parseVersion(&reader)
        guard reader.current == 0x0D, reader.bytes[reader.position + 1] == 0x0A else {
            throw .bad("request_line_malformed", "the request line does not end after the version")
        }
        reader.position += 2
        var line = RequestLine(method: method, target: "", minorVersion: minorVersion)
        try line.readTarget(reader, range)
        return line
    }

    private static func parseMethod(_ reader: inout LineReader) throws(HTTPParseError) -> HTTPMethod {
        let start = reader.position
        while ByteClass.token.contains(reader.current) { reader.position += 1 }
        let length = reader.position - start
        guard length > 0, length <= maxMethodBytes, reader.current == 0x20 else {
            throw .bad("method_malformed", "the request does not start with a method and one space")
        }
        reader.position += 1
        // The two that are nearly all of the traffic need no text.
        let bytes = reader.bytes
        if length == 3, bytes[start] == 0x47, bytes[start + 1] == 0x45, bytes[start + 2] == 0x54 { return .get }
        return HTTPMethod(reader.text(start..<start + length))
    }

    static func parseVersion(_ reader: inout LineReader) throws(HTTPParseError) -> Int {
        let expected: StaticString = "HTTP/"
        let start = reader.position
        guard start + 10 <= reader.bytes.count else { throw .bad("version_malformed", "the HTTP version is malformed") }
        for offset in 0..<5 where reader.bytes[start + offset] != expected.utf8Start[offset] {
            throw .bad("version_malformed", "the HTTP version is malformed")
        }
        let major = reader.bytes[start + 5]
        let minor = reader.bytes[start + 7]
        guard reader.bytes[start + 6] == 0x2E, (0x30...0x39).contains(major), (0x30...0x39).contains(minor) else {
            throw .bad("version_malformed", "the HTTP version is malformed")
        }
        guard major == 0x31 else {
            throw HTTPParseError(HTTPStatus(505), "version_unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        reader.position += 8
        return minor == 0x30 ? 0 : 1
    }

    private mutating func readTarget(_ reader: LineReader, _ range: Range<Int>) throws(HTTPParseError) {
        var path = range
        if method == .connect {
            throw HTTPParseError(.notImplemented, "connect_refused", "CONNECT is not served here")
        }
        if range.count == 1, reader.bytes[range.lowerBound] == 0x2A {
            guard method == .options else { throw .bad("target_malformed", "only OPTIONS may ask for '*'") }
            target = "*"
            return
        }
        if reader.bytes[range.lowerBound] != 0x2F {
            path = try readAuthority(reader, range)
        }
        try TargetPath.validate(reader.bytes, path)
        let text = reader.text(path)
        target = text.isEmpty ? "/" : text.utf8.first == 0x3F ? "/" + text : text
    }

    /// Reads `http://authority` of an absolute form; what is left is path and query.
    private mutating func readAuthority(_ reader: LineReader, _ range: Range<Int>) throws(HTTPParseError) -> Range<Int>
    {
        var position = range.lowerBound
        for scheme in ["http://", "https://"] as [StaticString] {
            let length = scheme.utf8CodeUnitCount
            guard range.count > length else { continue }
            var matches = true
            for offset in 0..<length
            where ByteClass.lower(reader.bytes[range.lowerBound + offset]) != scheme.utf8Start[offset] {
                matches = false
                break
            }
            if matches {
                position = range.lowerBound + length
                break
            }
        }
        guard position > range.lowerBound else {
            throw .bad("target_malformed", "the request target is neither a path nor an http URL")
        }
        let start = position
        while position < range.upperBound, reader.bytes[position] != 0x2F, reader.bytes[position] != 0x3F {
            position += 1
        }
        try TargetPath.validateHost(reader.bytes, start..<position)
        authority = reader.text(start..<position)
        return position..<range.upperBound
    }
}

/// `HTTP-version SP status-code SP [reason-phrase] CRLF` (RFC 9112, section 4).
enum StatusLine {
    static func parse(_ reader: inout LineReader) throws(HTTPParseError) -> (HTTPStatus, minorVersion: Int) {
        let minorVersion = try RequestLine.parseVersion(&reader)
        var code = 0
        guard reader.current == 0x20, reader.position + 5 < reader.bytes.count else { throw malformed }
        for offset in 1...3 {
            let digit = reader.bytes[reader.position + offset]
            guard (0x30...0x39).contains(digit) else { throw malformed }
            code = code * 10 + Int(digit - 0x30)
        }
        reader.position += 4
        guard (100...599).contains(code), reader.current == 0x20 || reader.current == 0x0D else { throw malformed }
        while reader.current != 0x0D {
            guard ByteClass.isFieldValue(reader.current) else { throw malformed }
            reader.position += 1
        }
        guard reader.bytes[reader.position + 1] == 0x0A else { throw malformed }
        reader.position += 2
        return (HTTPStatus(code), minorVersion)
    }

    private static let malformed = HTTPParseError.bad("status_line_malformed", "the status line is malformed")
}
