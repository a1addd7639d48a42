import Glibc

/// Reads the head of a message: strict by RFC 9112, so that no two readers can disagree about where it ends.
///
/// The end of the head is looked for first, line by line, and nothing is taken apart before it is there; what is
/// accepted or refused, and why, does therefore not depend on the pieces in which the bytes arrive.
package enum HTTPHeadParser {
    /// Reads a request head. One empty line before it is skipped (RFC 9112, section 2.2).
    /// - Parameters:
    ///   - bytes: everything received so far, from the first byte of the message.
    ///   - scanned: 0 for a new message; remembers how far the end was looked for, so that slow heads cost linear time.
    ///     0 again when a head is returned.
    /// - Returns: nil when the head is not complete yet.
    /// - Throws: `HTTPParseError` for what a server must refuse.
    package static func request(
        _ bytes: UnsafeRawBufferPointer, scanned: inout Int, limits: HTTPLimits
    ) throws(HTTPParseError) -> HTTPRequestHead? {
        let received = bytes.assumingMemoryBound(to: UInt8.self).span
        guard received.count > 0 else { return nil }
        // What does not speak HTTP (a TLS handshake, for one) is refused at its first byte.
        guard received[0] == 0x0D || ByteClass.token.contains(received[0]) else { throw RequestLine.malformedMethod }
        guard let end = try headEnd(bytes, received, &scanned, limits) else { return nil }
        let head = received.extracting(first: end)

        var position = head.matches("\r\n", at: 0) ? 2 : 0
        let line = try RequestLine.parse(head, &position, limits)
        var section = FieldSection()
        try section.parse(head, from: position, bytes, limits)

        guard section.hostCount <= 1 else { throw .bad("host_repeated", "the request has more than one Host field") }
        if section.hostCount == 0, line.minorVersion == 1 {
            throw .bad("host_missing", "an HTTP/1.1 request must have a Host field")
        }
        if let authority = line.authority { section.fields.set("host", authority) }
        let framing = try section.requestFraming(minorVersion: line.minorVersion, limits)
        return HTTPRequestHead(
            method: line.method, target: line.target, minorVersion: line.minorVersion, fields: section.fields,
            framing: framing, keepsAlive: section.keepsAlive(minorVersion: line.minorVersion),
            expectsContinue: section.expectsContinue && line.minorVersion == 1 && framing != .none, byteCount: end)
    }

    /// Reads a response head, an interim one (1xx) too.
    /// - Parameters:
    ///   - bytes: everything received so far, from the first byte of the message.
    ///   - scanned: as for `request`.
    ///   - requestMethod: of the request that it answers: the answer to HEAD has no body.
    /// - Throws: `HTTPParseError` with status 502; the connection is then unusable.
    package static func response(
        _ bytes: UnsafeRawBufferPointer, scanned: inout Int, limits: HTTPLimits, requestMethod: HTTPMethod
    ) throws(HTTPParseError) -> HTTPResponseHead? {
        do throws(HTTPParseError) {
            let received = bytes.assumingMemoryBound(to: UInt8.self).span
            guard received.count > 0 else { return nil }
            guard received[0] == 0x48 else { throw StatusLine.malformed }
            guard let end = try headEnd(bytes, received, &scanned, limits) else { return nil }
            let head = received.extracting(first: end)

            var position = 0
            let line = try StatusLine.parse(head, &position)
            var section = FieldSection()
            try section.parse(head, from: position, bytes, limits)
            let framing = try section.responseFraming(
                status: line.status, minorVersion: line.minorVersion, requestMethod: requestMethod)
            return HTTPResponseHead(
                status: line.status, minorVersion: line.minorVersion, fields: section.fields, framing: framing,
                keepsAlive: section.keepsAlive(minorVersion: line.minorVersion) && framing != .untilClose,
                byteCount: end)
        } catch {
            throw HTTPParseError(.badGateway, error.code, error.message)
        }
    }

    /// Room for a method and a version around a target of the longest size.
    private static let requestLineOverhead = 48

    /// Where the head ends, found line feed by line feed; each must follow a CR.
    private static func headEnd(
        _ bytes: UnsafeRawBufferPointer, _ received: Span<UInt8>, _ scanned: inout Int, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> Int? {
        let bound = min(received.count, limits.maxHeadBytes)
        let lineBound = limits.maxTargetBytes + requestLineOverhead
        if bound > lineBound, scanned <= lineBound, newline(bytes, from: 0, to: lineBound) == nil {
            throw RequestLine.targetTooLong
        }
        while let newline = newline(bytes, from: scanned, to: bound) {
            guard newline > 0, received[newline - 1] == 0x0D else {
                throw .bad("bare_line_feed", "a line ends in LF without CR")
            }
            scanned = newline + 1
            if newline >= 2, received[newline - 2] == 0x0A {
                scanned = 0
                return newline + 1
            }
        }
        scanned = bound
        guard received.count < limits.maxHeadBytes else {
            throw HTTPParseError(
                .headerFieldsTooLarge, "head_too_large", "the header fields are larger than this server takes")
        }
        return nil
    }

    @inline(__always)
    private static func newline(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int? {
        guard start < end, end <= bytes.count, let base = bytes.baseAddress,
            // Safety: the guard keeps the range inside the buffer.
            let found = memchr(base + start, 0x0A, end - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
