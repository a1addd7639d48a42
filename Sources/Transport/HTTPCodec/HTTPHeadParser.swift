internal import Glibc

/// Reads the head of a message: strict by RFC 9112, so that no two readers can disagree about where it ends.
package enum HTTPHeadParser {
    /// Reads a request head.
    /// - Parameters:
    ///   - bytes: everything received so far.
    ///   - scanned: 0 at first; remembers where the search for the end goes on, so that slow heads cost linear time.
    /// - Returns: nil when the head is not complete yet.
    /// - Throws: `HTTPParseError` for what a server must refuse.
    package static func request(
        _ bytes: UnsafeRawBufferPointer, scanned: inout Int, limits: HTTPLimits
    ) throws(HTTPParseError) -> HTTPRequestHead? {
        guard let end = try headEnd(bytes, &scanned, limits) else {
            try refuseEndlessTarget(bytes, limits)
            return nil
        }
        var reader = LineReader(bytes, from: bytes[0] == 0x0D ? 2 : 0)
        let line = try RequestLine.parse(&reader, limits)
        var section = try FieldSection.parse(&reader, end: end, limits)

        guard section.hostCount <= 1 else { throw .bad("host_repeated", "the request has more than one Host field") }
        if let authority = line.authority {
            section.fields.set("host", authority)
        } else if section.hostCount == 0, line.minorVersion == 1 {
            throw .bad("host_missing", "an HTTP/1.1 request must have a Host field")
        }
        let framing = try section.requestFraming(minorVersion: line.minorVersion, limits)
        if section.hasExpect, !section.expectsContinue {
            throw HTTPParseError(HTTPStatus(417), "expectation_unknown", "only 'Expect: 100-continue' is understood")
        }
        return HTTPRequestHead(
            method: line.method, target: line.target, minorVersion: line.minorVersion, fields: section.fields,
            framing: framing, keepsAlive: section.keepsAlive(minorVersion: line.minorVersion),
            expectsContinue: section.expectsContinue && line.minorVersion == 1, byteCount: end)
    }

    /// Reads a response head.
    /// - Parameter requestMethod: of the request that it answers: the answer to HEAD has no body.
    /// - Throws: `HTTPParseError`; the connection is then unusable.
    package static func response(
        _ bytes: UnsafeRawBufferPointer, scanned: inout Int, limits: HTTPLimits, requestMethod: HTTPMethod
    ) throws(HTTPParseError) -> HTTPResponseHead? {
        guard let end = try headEnd(bytes, &scanned, limits) else { return nil }
        var reader = LineReader(bytes, from: 0)
        let (status, minorVersion) = try StatusLine.parse(&reader)
        let section = try FieldSection.parse(&reader, end: end, limits)
        let framing: HTTPFraming =
            if requestMethod == .head || status.code < 200 || status == .noContent || status == .notModified {
                .none
            } else {
                try section.responseFraming(minorVersion: minorVersion)
            }
        return HTTPResponseHead(
            status: status, minorVersion: minorVersion, fields: section.fields, framing: framing,
            keepsAlive: section.keepsAlive(minorVersion: minorVersion) && framing != .untilClose, byteCount: end)
    }

    /// Where the head ends, found line by line; every line must end in CR LF.
    private static func headEnd(
        _ bytes: UnsafeRawBufferPointer, _ lineStart: inout Int, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        while lineStart < bytes.count {
            guard let found = memchr(base + lineStart, 0x0A, bytes.count - lineStart) else { break }
            let newline = UnsafeRawPointer(found) - base
            guard newline > lineStart, bytes[newline - 1] == 0x0D else {
                throw .bad("bare_lf", "a line ends in LF without CR")
            }
            let isEmpty = newline - lineStart == 1
            let start = lineStart
            lineStart = newline + 1
            guard lineStart <= limits.maxHeadBytes else { throw tooLarge }
            if isEmpty {
                // One empty line before a request is forgiven (RFC 9112, section 2.2).
                if start == 0 { continue }
                if start == 2, bytes[0] == 0x0D { throw .bad("empty_head", "the message starts with empty lines") }
                return lineStart
            }
        }
        guard bytes.count <= limits.maxHeadBytes else { throw tooLarge }
        return nil
    }

    private static let tooLarge = HTTPParseError(
        .headerFieldsTooLarge, "head_too_large", "the header fields are larger than this server takes")

    /// A request line that never ends is a target that is too long.
    private static func refuseEndlessTarget(
        _ bytes: UnsafeRawBufferPointer, _ limits: HTTPLimits
    ) throws(HTTPParseError) {
        guard bytes.count > limits.maxTargetBytes + 32, let base = bytes.baseAddress,
            memchr(base, 0x0A, limits.maxTargetBytes + 32) == nil
        else { return }
        throw RequestLine.targetTooLong
    }
}

/// A position in a head whose every line is known to end in CR LF.
struct LineReader {
    let bytes: UnsafeRawBufferPointer
    var position: Int

    init(_ bytes: UnsafeRawBufferPointer, from position: Int) {
        self.bytes = bytes
        self.position = position
    }

    @inline(__always) var current: UInt8 { bytes[position] }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
}
