/// Takes a body out of its framing, piece by piece, copying nothing (RFC 9112, sections 6 and 7).
package struct HTTPBodyDecoder: Sendable {
    /// What the bytes given so far hold.
    package enum Step: Equatable, Sendable {
        /// All bytes given are taken.
        case needMore
        /// Payload: a range of the bytes given.
        case data(Range<Int>)
        /// The body is over; what follows `offset` belongs to the next message.
        case end
    }

    private enum State: Sendable {
        case fixed(left: Int)
        case untilClose
        case chunkSize(digits: Int)
        case chunkExtension(ChunkExtension)
        case chunkSizeLF
        case chunkData(left: Int)
        case chunkDataCR
        case chunkDataLF
        case trailerSection
        case done
    }

    /// The most bytes of extensions of one chunk, and of all chunks of a body: nothing reads them.
    package static let maxExtensionBytes = 256
    package static let maxExtensionBytesPerBody = 4096

    private var state: State
    /// Of the chunk whose first line is being read.
    private var chunkSize = 0
    private var received = 0
    private var extensionBytes = 0
    private var trailers = TrailerSection()
    private let limits: HTTPLimits

    /// - Parameter limits: `maxBodyBytes` bounds the decoded body; `maxFieldCount` the trailers.
    package init(framing: HTTPFraming, limits: HTTPLimits) {
        self.limits = limits
        state =
            switch framing {
            case .none, .length(0): .done
            case .length(let count): .fixed(left: count)
            case .chunked: .chunkSize(digits: 0)
            case .untilClose: .untilClose
            }
    }

    package var isComplete: Bool { if case .done = state { true } else { false } }

    /// Whether the end of the connection is the end of the body.
    package var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// Takes the next piece.
    /// - Parameters:
    ///   - bytes: what was received. - offset: where to go on; advanced past what was taken.
    /// - Throws: `HTTPParseError` for malformed chunks and for more than the limit; the connection is then unusable.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer, offset: inout Int
    ) throws(HTTPParseError) -> Step {
        let received = bytes.assumingMemoryBound(to: UInt8.self).span
        while true {
            if case .done = state { return .end }
            guard offset < received.count else { return .needMore }
            switch state {
            case .fixed(let left):
                if self.received == 0 { try count(left) }
                let range = offset..<min(received.count, offset + left)
                offset = range.upperBound
                state = left == range.count ? .done : .fixed(left: left - range.count)
                return .data(range)
            case .untilClose:
                let range = offset..<received.count
                offset = received.count
                try count(range.count)
                return .data(range)
            case .chunkData(let left):
                let range = offset..<min(received.count, offset + left)
                offset = range.upperBound
                state = left == range.count ? .chunkDataCR : .chunkData(left: left - range.count)
                return .data(range)
            default:
                let byte = received[offset]
                offset += 1
                try advance(byte)
            }
        }
    }

    private mutating func count(_ bytes: Int) throws(HTTPParseError) {
        guard bytes <= limits.maxBodyBytes - received else { throw .bodyTooLarge }
        received += bytes
    }

    /// One byte of framing.
    private mutating func advance(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .chunkSize(let digits):
            if let digit = ByteClass.hex(byte) {
                // Sixteen digits would not fit; none is ever needed.
                guard digits < 15 else { throw .bad("chunk_size_malformed", "a chunk size is too long") }
                chunkSize = digits == 0 ? Int(digit) : chunkSize << 4 | Int(digit)
                state = .chunkSize(digits: digits + 1)
                return
            }
            guard digits > 0 else { throw .bad("chunk_size_malformed", "a chunk does not start with its size") }
            switch byte {
            case 0x0D: state = .chunkSizeLF
            case 0x3B: state = .chunkExtension(ChunkExtension())
            default: throw .bad("chunk_size_malformed", "a chunk size is not hexadecimal")
            }
        case .chunkExtension(var text):
            extensionBytes += 1
            guard try text.advance(byte), extensionBytes <= Self.maxExtensionBytesPerBody else {
                throw .bad("chunk_extension_too_long", "a chunk extension is too long")
            }
            state = text.isOver ? .chunkSizeLF : .chunkExtension(text)
        case .chunkSizeLF:
            guard byte == 0x0A else { throw Self.strayByte }
            try count(chunkSize)
            state = chunkSize == 0 ? .trailerSection : .chunkData(left: chunkSize)
        case .chunkDataCR:
            guard byte == 0x0D else { throw Self.strayByte }
            state = .chunkDataLF
        case .chunkDataLF:
            guard byte == 0x0A else { throw Self.strayByte }
            state = .chunkSize(digits: 0)
        case .trailerSection:
            if try trailers.advance(byte, limits) { state = .done }
        case .fixed, .untilClose, .chunkData, .done:
            break
        }
    }

    private static let strayByte = HTTPParseError.bad("chunk_malformed", "a chunk does not end in CR LF")
}
