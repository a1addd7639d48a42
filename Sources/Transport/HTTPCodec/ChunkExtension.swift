/// `*( ";" name [ "=" value ] )` after a chunk size (RFC 9112, section 7.1.1), read to be dropped.
///
/// It is checked all the same: readers that skip it carelessly, up to a lone LF for one, see other chunks than we do.
/// White space around `;` and `=` is an error of old senders that the grammar only tolerates; it is refused.
struct ChunkExtension: Sendable {
    private enum Part: Sendable {
        case name(isEmpty: Bool)
        case valueStart
        case value
        case quoted
        case quotedPair
        case quotedEnd
        case over
    }

    private var part = Part.name(isEmpty: true)
    private var length = 1

    /// Whether the CR that ends the line was seen.
    var isOver: Bool { if case .over = part { true } else { false } }

    /// Takes the next byte.
    /// - Returns: false when the extension is longer than allowed.
    mutating func advance(_ byte: UInt8) throws(HTTPParseError) -> Bool {
        length += 1
        switch part {
        case .quoted:
            if byte == 0x22 {
                part = .quotedEnd
            } else if byte == 0x5C {
                part = .quotedPair
            } else if !(ByteClass.quotedText.contains(byte) || byte == 0x09 || byte >= 0x80) {
                throw Self.malformed
            }
        case .quotedPair:
            guard ByteClass.isFieldValue(byte) else { throw Self.malformed }
            part = .quoted
        case .valueStart where byte == 0x22:
            part = .quoted
        case .valueStart:
            guard ByteClass.token.contains(byte) else { throw Self.malformed }
            part = .value
        case .name, .value, .quotedEnd:
            try advanceToken(byte)
        case .over: break
        }
        return length <= HTTPBodyDecoder.maxExtensionBytes
    }

    private mutating func advanceToken(_ byte: UInt8) throws(HTTPParseError) {
        switch (part, byte) {
        case (.name(isEmpty: true), _):
            guard ByteClass.token.contains(byte) else { throw Self.malformed }
            part = .name(isEmpty: false)
        case (_, 0x0D): part = .over
        case (_, 0x3B): part = .name(isEmpty: true)
        case (.name, 0x3D): part = .valueStart
        case (.quotedEnd, _): throw Self.malformed
        default: guard ByteClass.token.contains(byte) else { throw Self.malformed }
        }
    }

    private static let malformed = HTTPParseError.bad(
        "chunk_extension_malformed", "a chunk extension is malformed")
}
