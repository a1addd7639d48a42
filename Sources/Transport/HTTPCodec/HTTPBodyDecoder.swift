/// Takes a body out of its framing, piece by piece, copying nothing (RFC 9112, sections 6 and 7).
package struct HTTPBodyDecoder: Sendable {
    /// What the bytes given so far hold.
    package enum Step: Equatable, Sendable {
        case needMore
        /// Payload: a range of the bytes given.
        case data(Range<Int>)
        case end
    }

    private enum State: Sendable {
        case fixed(left: Int)
        case untilClose
        case chunkSize(value: Int, digits: Int)
        case chunkExtension(value: Int, length: Int)
        case chunkSizeLF(value: Int)
        case chunkData(left: Int)
        case chunkDataCR
        case chunkDataLF
        case trailerStart
        case trailerLine
        case trailerLF(isLast: Bool)
        case done
    }

    private var state: State
    private var received = 0
    private var trailer: [UInt8] = []
    private var trailerCount = 0
    private let limits: HTTPLimits

    private static let maxExtensionBytes = 256
    private static let maxTrailerBytes = 4096

    /// - Parameter limits: `maxBodyBytes` bounds the decoded body; `maxFieldCount` the trailers.
    package init(framing: HTTPFraming, limits: HTTPLimits) {
        self.limits = limits
        state =
            switch framing {
            case .none, .length(0): .done
            case .length(let count): .fixed(left: count)
            case .chunked: .chunkSize(value: 0, digits: 0)
            case .untilClose: .untilClose
            }
    }

    package var isComplete: Bool { if case .done = state { true } else { false } }

    /// Whether the end of the connection is the end of the body.
    package var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// Takes the next piece.
    /// - Parameters:
    ///   - bytes: what was received. - offset: where to go on; advanced past what was taken.
    /// - Throws: `HTTPParseError` for malformed chunks and for more than the limit.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer, offset: inout Int
    ) throws(HTTPParseError) -> Step {
        while true {
            if case .done = state { return .end }
            guard offset < bytes.count else { return .needMore }
            switch state {
            case .fixed(let left):
                let range = offset..<min(bytes.count, offset + left)
                offset = range.upperBound
                state = left == range.count ? .done : .fixed(left: left - range.count)
                return .data(range)
            case .untilClose:
                let range = offset..<bytes.count
                offset = bytes.count
                try count(range.count)
                return .data(range)
            case .chunkData(let left):
                let range = offset..<min(bytes.count, offset + left)
                offset = range.upperBound
                state = left == range.count ? .chunkDataCR : .chunkData(left: left - range.count)
                return .data(range)
            default:
                let byte = bytes[offset]
                offset += 1
                try advance(byte)
            }
        }
    }

    private mutating func count(_ bytes: Int) throws(HTTPParseError) {
        received += bytes
        guard received <= limits.maxBodyBytes else {
            throw HTTPParseError(.contentTooLarge, "body_too_large", "the body is larger than this server takes")
        }
    }

    /// One byte of framing.
    private mutating func advance(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .chunkSize(let value, let digits):
            if let digit = ByteClass.hex(byte) {
                guard digits < 15 else { throw .bad("chunk_size_malformed", "a chunk size is too long") }
                state = .chunkSize(value: value << 4 | Int(digit), digits: digits + 1)
                return
            }
            guard digits > 0 else { throw .bad("chunk_size_malformed", "a chunk does not start with its size") }
            if byte == 0x0D {
                try count(value)
                state = .chunkSizeLF(value: value)
            } else if byte == 0x3B {
                state = .chunkExtension(value: value, length: 1)
            } else {
                throw .bad("chunk_size_malformed", "a chunk size is not hexadecimal")
            }
        case .chunkExtension(let value, let length):
            if byte == 0x0D {
                try count(value)
                state = .chunkSizeLF(value: value)
                return
            }
            guard ByteClass.isFieldValue(byte), length < Self.maxExtensionBytes else {
                throw .bad("chunk_extension_malformed", "a chunk extension is malformed or too long")
            }
            state = .chunkExtension(value: value, length: length + 1)
        case .chunkSizeLF(let value):
            guard byte == 0x0A else { throw Self.strayByte }
            state = value == 0 ? .trailerStart : .chunkData(left: value)
        case .chunkDataCR:
            guard byte == 0x0D else { throw Self.strayByte }
            state = .chunkDataLF
        case .chunkDataLF:
            guard byte == 0x0A else { throw Self.strayByte }
            state = .chunkSize(value: 0, digits: 0)
        case .trailerStart, .trailerLine:
            try advanceTrailer(byte)
        case .trailerLF(let isLast):
            guard byte == 0x0A else { throw Self.strayByte }
            state = isLast ? .done : .trailerStart
        case .fixed, .untilClose, .chunkData, .done:
            break
        }
    }

    private static let strayByte = HTTPParseError.bad("chunk_malformed", "a chunk does not end in CR LF")

    /// Trailers are held to the rules of header fields, and dropped.
    private mutating func advanceTrailer(_ byte: UInt8) throws(HTTPParseError) {
        if byte == 0x0D {
            if case .trailerStart = state {
                state = .trailerLF(isLast: true)
                return
            }
            try checkTrailer()
            state = .trailerLF(isLast: false)
            return
        }
        if case .trailerStart = state {
            trailer.removeAll(keepingCapacity: true)
            trailerCount += 1
        }
        trailer.append(byte)
        guard trailer.count <= Self.maxTrailerBytes, trailerCount <= limits.maxFieldCount else {
            throw HTTPParseError(.headerFieldsTooLarge, "trailers_too_large", "the trailers are too large")
        }
        state = .trailerLine
    }

    private func checkTrailer() throws(HTTPParseError) {
        guard let colon = trailer.firstIndex(of: 0x3A), colon > 0,
            trailer[..<colon].allSatisfy(ByteClass.token.contains),
            trailer[(colon + 1)...].allSatisfy(ByteClass.isFieldValue)
        else { throw .bad("trailer_malformed", "a trailer is malformed") }
        let name = String(decoding: trailer[..<colon].map(ByteClass.lower), as: UTF8.self)
        // RFC 9110, section 6.5.1: fields that frame or route a message must not come after it.
        let forbidden = ["content-length", "transfer-encoding", "host", "authorization", "content-type", "trailer"]
        guard !forbidden.contains(name) else {
            throw .bad("trailer_forbidden", "a trailer holds a field that belongs before the body")
        }
    }
}
