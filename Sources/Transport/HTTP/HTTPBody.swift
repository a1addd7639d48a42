/// A message body: absent, whole, or arriving piece by piece with back-pressure.
package enum HTTPBody: Sendable {
    case empty
    case bytes([UInt8])
    /// - length: the number of bytes when it is known beforehand.
    ///
    /// Indirect, because a value that may hold any sequence in place is copied through tables of functions, and every
    /// message with it.
    indirect case stream(length: Int?, any AsyncSequence<[UInt8], any Error> & Sendable)

    /// The whole body in memory.
    /// - Throws: `HTTPBodyTooLarge` past `limit` bytes; whatever the transport throws.
    package func collect(upTo limit: Int) async throws -> [UInt8] {
        switch self {
        case .empty: return []
        case .bytes(let bytes):
            guard bytes.count <= limit else { throw HTTPBodyTooLarge(limit: limit) }
            return bytes
        case .stream(let length, let pieces):
            if let length, length > limit { throw HTTPBodyTooLarge(limit: limit) }
            return try await Self.collect(pieces, upTo: limit, expected: length ?? 0)
        }
    }

    private static func collect(
        _ pieces: some AsyncSequence<[UInt8], any Error>, upTo limit: Int, expected: Int
    ) async throws -> [UInt8] {
        var whole: [UInt8] = []
        for try await piece in pieces {
            guard piece.count <= limit - whole.count else { throw HTTPBodyTooLarge(limit: limit) }
            if whole.isEmpty {
                whole = piece
                if piece.count < expected { whole.reserveCapacity(expected) }
            } else {
                whole.append(contentsOf: piece)
            }
        }
        return whole
    }
}

/// A body had more bytes than its reader takes; a server answers 413.
package struct HTTPBodyTooLarge: Error, Sendable {
    package let limit: Int
}

/// Why the body of a request stopped in the middle.
package enum HTTPBodyCut: Error, Sendable {
    /// The client is gone: nobody will read an answer.
    case disconnected
    /// The client sent too slowly; a server answers 408.
    case timedOut
}
