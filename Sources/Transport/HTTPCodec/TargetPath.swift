/// What a path, a query and a host may hold. Whatever two programs could read differently is refused: dot segments,
/// encoded slashes and NULs, malformed percent-encoding, fragments (RFC 3986, sections 2.1, 3.2.2 and 3.3).
enum TargetPath {
    /// Reads path and query up to the space that ends them.
    /// - Parameter position: advanced to that space.
    static func scan(_ head: Span<UInt8>, _ position: inout Int) throws(HTTPParseError) {
        var index = position
        // Dots that the segment consists of so far; 3 says that it is no dot segment whatever follows.
        var dots = 3
        while true {
            let byte = head[index]
            index &+= 1
            if ByteClass.plainPath.contains(byte) {
                dots = 3
                continue
            }
            switch byte {
            case 0x2F:
                try refuseDotSegment(dots)
                dots = 0
            case 0x2E: dots = min(3, dots &+ 1)
            case 0x3B:
                // Some servers cut parameters off before they look for dots: `/..;/`.
                try refuseDotSegment(dots)
                dots = 3
            case 0x25:
                let decoded = try decode(head, &index)
                if decoded == 0x2F || decoded == 0x5C {
                    throw .bad("encoded_slash", "the path holds an encoded slash or backslash")
                }
                if decoded < 0x20 || decoded == 0x7F {
                    throw .bad("encoded_control", "the path holds an encoded control character")
                }
                dots = decoded == 0x2E ? min(3, dots &+ 1) : 3
            case 0x3F:
                try refuseDotSegment(dots)
                try scanQuery(head, &index)
                position = index
                return
            case 0x20:
                try refuseDotSegment(dots)
                position = index &- 1
                return
            default: throw illegal(byte)
            }
        }
    }

    private static func scanQuery(_ head: Span<UInt8>, _ index: inout Int) throws(HTTPParseError) {
        while true {
            let byte = head[index]
            if ByteClass.plainQuery.contains(byte) {
                index &+= 1
            } else if byte == 0x25 {
                index &+= 1
                _ = try decode(head, &index)
            } else if byte == 0x20 {
                return
            } else {
                throw illegal(byte)
            }
        }
    }

    /// The byte that two hexadecimal digits stand for.
    @inline(__always)
    private static func decode(_ head: Span<UInt8>, _ index: inout Int) throws(HTTPParseError) -> UInt8 {
        // The second digit is there when the first is: a head ends in CR LF CR LF.
        guard let high = ByteClass.hex(head[index]), let low = ByteClass.hex(head[index &+ 1]) else {
            throw .bad("percent_encoding_malformed", "'%' is not followed by two hexadecimal digits")
        }
        index &+= 2
        let decoded = high &<< 4 | low
        guard decoded != 0 else { throw .bad("encoded_nul", "the request target holds an encoded NUL") }
        return decoded
    }

    @inline(__always)
    private static func refuseDotSegment(_ dots: Int) throws(HTTPParseError) {
        if dots == 1 || dots == 2 {
            throw .bad("dot_segment", "the path holds a '.' or '..' segment: send it resolved")
        }
    }

    private static func illegal(_ byte: UInt8) -> HTTPParseError {
        switch byte {
        case 0x23: .bad("target_fragment", "a request target has no fragment: '#' must be percent-encoded")
        case 0x0D: .bad("request_line_malformed", "the request line has no version, or a CR in its middle")
        default:
            .bad("target_malformed", "the request target holds a character that must be percent-encoded")
        }
    }

    // MARK: Hosts

    /// Where a host and port that start here end.
    static func authority(_ head: Span<UInt8>, from start: Int) -> Range<Int> {
        var end = start
        while end < head.count, head[end] > 0x20, head[end] != 0x2F, head[end] != 0x3F, head[end] != 0x23 { end += 1 }
        return start..<end
    }

    /// A name, an IPv4 address or an IPv6 address in brackets, then perhaps a port; no user, no encoding, no list.
    static func validateHost(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPParseError) {
        guard isHost(bytes, range) else { throw .bad("host_malformed", "the host is missing or malformed") }
    }

    static func isHost(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.count <= 261 else { return false }
        let end = range.upperBound
        var index = range.lowerBound
        if bytes[index] == 0x5B {
            index &+= 1
            let start = index
            var colons = 0
            while index < end, ByteClass.addressLiteral.contains(bytes[index]) {
                if bytes[index] == 0x3A { colons &+= 1 }
                index &+= 1
            }
            guard colons >= 2, index - start <= 45, index < end, bytes[index] == 0x5D else { return false }
            index &+= 1
        } else {
            // No label is empty, but for the root after a last dot.
            var previous: UInt8 = 0x2E
            while index < end, ByteClass.hostName.contains(bytes[index]) {
                if bytes[index] == 0x2E, previous == 0x2E { return false }
                previous = bytes[index]
                index &+= 1
            }
            guard index > range.lowerBound else { return false }
        }
        guard index < end else { return true }
        guard bytes[index] == 0x3A, (2...6).contains(end - index) else { return false }
        var port = 0
        for position in (index + 1)..<end {
            guard ByteClass.digit.contains(bytes[position]) else { return false }
            port = port &* 10 &+ Int(bytes[position] &- 0x30)
        }
        return port <= 65_535
    }
}
