/// `method SP request-target SP HTTP-version CRLF` (RFC 9112, section 3).
struct RequestLine {
    var method: HTTPMethod
    var target: String
    /// Of a target in absolute form: it replaces the Host field (section 3.2.2).
    var authority: String?
    /// 0 or 1; a higher minor version is spoken to as 1.1 (RFC 9110, section 2.5).
    var minorVersion: Int

    static let malformedMethod = HTTPParseError.bad(
        "method_malformed", "the request does not start with a method and one space")
    static let targetTooLong = HTTPParseError(.uriTooLong, "target_too_long", "the request target is too long")
    private static let malformedTarget = HTTPParseError.bad(
        "target_malformed", "the request target is neither a path nor an http URL")
    private static let maxMethodBytes = 32

    /// - Parameters:
    ///   - head: ends in an empty line. - position: advanced past the line.
    static func parse(
        _ head: Span<UInt8>, _ position: inout Int, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> RequestLine {
        let method = try parseMethod(head, &position)
        let (target, authority) = try parseTarget(head, &position, method, limits)
        guard head[position] == 0x20 else { throw malformedTarget }
        position += 1
        let minorVersion = try parseVersion(head, &position)
        guard head.matches("\r\n", at: position) else {
            throw .bad("request_line_malformed", "the request line does not end after the version")
        }
        position += 2
        guard method != .connect else {
            throw HTTPParseError(.notImplemented, "connect_refused", "CONNECT is not served here")
        }
        return RequestLine(method: method, target: target, authority: authority, minorVersion: minorVersion)
    }

    private static func parseMethod(
        _ head: Span<UInt8>, _ position: inout Int
    ) throws(HTTPParseError) -> HTTPMethod {
        let start = position
        while ByteClass.token.contains(head[position]) { position &+= 1 }
        let length = position - start
        guard length > 0, head[position] == 0x20 else { throw malformedMethod }
        position += 1
        switch length {
        case 3:
            if head.matches("GET", at: start) { return .get }
            if head.matches("PUT", at: start) { return .put }
        case 4:
            if head.matches("POST", at: start) { return .post }
            if head.matches("HEAD", at: start) { return .head }
        case let length where length > maxMethodBytes:
            throw HTTPParseError(.notImplemented, "method_too_long", "no method has so long a name")
        default: break
        }
        return HTTPMethod(head.text(start..<start + length))
    }

    /// `HTTP/1.x`, in capitals.
    static func parseVersion(_ head: Span<UInt8>, _ position: inout Int) throws(HTTPParseError) -> Int {
        guard head.matches("HTTP/", at: position), position + 8 < head.count,
            ByteClass.digit.contains(head[position + 5]), head[position + 6] == 0x2E,
            ByteClass.digit.contains(head[position + 7])
        else { throw .bad("version_malformed", "the HTTP version is malformed") }
        guard head[position + 5] == 0x31 else {
            throw HTTPParseError(
                .versionNotSupported, "version_unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        let minorVersion = head[position + 7] == 0x30 ? 0 : 1
        position += 8
        return minorVersion
    }

    // MARK: Target (RFC 9112, section 3.2)

    private static func parseTarget(
        _ head: Span<UInt8>, _ position: inout Int, _ method: HTTPMethod, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> (String, authority: String?) {
        let start = position
        if head[start] == 0x2F, method != .connect {
            try TargetPath.scan(head, &position)
            guard position - start <= limits.maxTargetBytes else { throw targetTooLong }
            return (head.text(start..<position), nil)
        }
        if head[start] == 0x2A {
            guard method == .options, head[start + 1] == 0x20 else {
                // The preface of HTTP/2 asks for `*` too.
                if head.matches("* HTTP/2.0\r\n", at: start) {
                    throw HTTPParseError(
                        .versionNotSupported, "version_unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here")
                }
                throw .bad("target_malformed", "only OPTIONS may ask for '*'")
            }
            position += 1
            return ("*", nil)
        }
        if method == .connect {
            let authority = TargetPath.authority(head, from: start)
            try TargetPath.validateHost(head, authority)
            guard head[authority.upperBound] == 0x20 else { throw malformedTarget }
            position = authority.upperBound
            return (head.text(authority), nil)
        }
        return try parseAbsolute(head, &position, method, limits)
    }

    /// `http://authority/path?query`, reduced to path and query.
    private static func parseAbsolute(
        _ head: Span<UInt8>, _ position: inout Int, _ method: HTTPMethod, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> (String, authority: String?) {
        let start = position
        for scheme in ["http://", "https://"] as [StaticString] {
            let end = start + scheme.utf8CodeUnitCount
            if end < head.count, head.equals(scheme, start..<end) { position = end }
        }
        guard position > start else { throw malformedTarget }
        let authority = TargetPath.authority(head, from: position)
        try TargetPath.validateHost(head, authority)
        position = authority.upperBound
        let pathStart = position
        try TargetPath.scan(head, &position)
        guard position - start <= limits.maxTargetBytes else { throw targetTooLong }
        var target = head.text(pathStart..<position)
        if target.isEmpty { target = method == .options ? "*" : "/" }
        if target.utf8.first == 0x3F { target = "/" + target }
        return (target, head.text(authority))
    }
}
