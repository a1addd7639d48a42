/// What a path and a host may hold. Whatever two programs could read differently is refused: dot segments, encoded
/// slashes and NULs, malformed percent-encoding (RFC 3986, sections 2.1 and 3.3).
enum TargetPath {
    static func validate(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPParseError) {
        var position = range.lowerBound
        var isQuery = false
        var segmentLength = 0
        var isDots = true
        while position < range.upperBound {
            var byte = bytes[position]
            guard ByteClass.target.contains(byte) else {
                throw .bad("target_malformed", "the request target holds a character that must be percent-encoded")
            }
            position += 1
            if byte == 0x25 {
                guard position + 2 <= range.upperBound, let high = ByteClass.hex(bytes[position]),
                    let low = ByteClass.hex(bytes[position + 1])
                else { throw .bad("percent_encoding_malformed", "'%' is not followed by two hexadecimal digits") }
                position += 2
                byte = high << 4 | low
                guard byte != 0 else { throw .bad("encoded_nul", "the request target holds an encoded NUL") }
                if !isQuery, byte == 0x2F || byte == 0x5C {
                    throw .bad("encoded_slash", "the path holds an encoded slash or backslash")
                }
                if !isQuery, byte < 0x20 || byte == 0x7F {
                    throw .bad("encoded_control", "the path holds an encoded control character")
                }
            } else if byte == 0x3F, !isQuery {
                try refuseDots(segmentLength, isDots)
                isQuery = true
            } else if byte == 0x2F, !isQuery {
                try refuseDots(segmentLength, isDots)
                segmentLength = 0
                isDots = true
                continue
            }
            segmentLength += 1
            if byte != 0x2E { isDots = false }
        }
        if !isQuery { try refuseDots(segmentLength, isDots) }
    }

    @inline(__always)
    private static func refuseDots(_ length: Int, _ isDots: Bool) throws(HTTPParseError) {
        if isDots, length == 1 || length == 2 {
            throw .bad("dot_segment", "the path holds a '.' or '..' segment: send it resolved")
        }
    }

    static func validateHost(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPParseError) {
        guard !range.isEmpty, range.count <= 255 else { throw malformedHost }
        for position in range where !ByteClass.host.contains(bytes[position]) { throw malformedHost }
        guard bytes[range.lowerBound] != 0x3A else { throw malformedHost }
        // A port, after the last colon outside brackets, is digits only.
        var position = range.upperBound
        while position > range.lowerBound {
            position -= 1
            let byte = bytes[position]
            if byte == 0x5D { break }
            guard byte == 0x3A else { continue }
            guard range.upperBound - position <= 6 else { throw malformedHost }
            for digit in (position + 1)..<range.upperBound where !(0x30...0x39).contains(bytes[digit]) {
                throw malformedHost
            }
            break
        }
    }

    private static let malformedHost = HTTPParseError.bad("host_malformed", "the Host field is malformed")
}
