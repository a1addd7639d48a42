internal import EventLoop

/// Where the bytes of a body come from: told when the reader wants more, and when nobody reads any longer.
protocol HTTPBodySource: AnyObject {
    func bodyIsWanted()
    func bodyIsAbandoned()
}

/// The pieces of one body between the connection that receives them and the task that reads them: one producer, one
/// consumer, bounded, confined to the connection's loop.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; `next` hops there.
final class HTTPBodyChannel: @unchecked Sendable {
    private enum End {
        case open
        case finished
        case failed(any Error)
    }

    private let loop: EventLoop
    private weak var source: (any HTTPBodySource)?
    private var pieces: [[UInt8]] = []
    private var firstPiece = 0
    private var end = End.open
    private var waiter: CheckedContinuation<[UInt8]?, any Error>?
    private(set) var bufferedBytes = 0
    private(set) var isAbandoned = false

    /// Buffered bytes at which the producer stops.
    static let maxBufferedBytes = 64 * 1024
    /// Buffered bytes at which it goes on.
    private static let lowWaterBytes = 16 * 1024
    /// Pieces smaller than this are joined, so that tiny chunks cost no array each.
    private static let joinedPieceBytes = 8 * 1024

    init(loop: EventLoop, source: any HTTPBodySource) {
        self.loop = loop
        self.source = source
    }

    // MARK: Producer

    /// Whether the producer should go on.
    var wantsMore: Bool { bufferedBytes < Self.maxBufferedBytes }

    func push(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty, !isAbandoned, case .open = end else { return }
        if let waiter {
            self.waiter = nil
            return waiter.resume(returning: Array(bytes))
        }
        bufferedBytes += bytes.count
        if let last = pieces.indices.last, last >= firstPiece, pieces[last].count < Self.joinedPieceBytes {
            pieces[last].append(contentsOf: bytes)
        } else {
            pieces.append(Array(bytes))
        }
    }

    func finish() {
        guard case .open = end else { return }
        end = .finished
        takeWaiter()?.resume(returning: nil)
    }

    /// What is buffered can still be read; then the error comes.
    func fail(_ error: any Error) {
        guard case .open = end else { return }
        end = .failed(error)
        takeWaiter()?.resume(throwing: error)
    }

    private func takeWaiter() -> CheckedContinuation<[UInt8]?, any Error>? {
        defer { waiter = nil }
        return waiter
    }

    // MARK: Consumer

    /// The next piece, or nil at the end. Any thread; one caller at a time.
    func next() async throws -> [UInt8]? {
        guard loop.isCurrent else { return try await loop.run { [self] in try await next() } }
        if firstPiece < pieces.count { return takePiece() }
        switch end {
        case .finished: return nil
        case .failed(let error): throw error
        case .open: break
        }
        try Task.checkCancellation()
        precondition(waiter == nil, "a body has one reader")
        source?.bodyIsWanted()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // Asking the source may have ended the body.
                switch end {
                case .open: waiter = continuation
                case .finished: continuation.resume(returning: nil)
                case .failed(let error): continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            loop.perform { [self] in takeWaiter()?.resume(throwing: CancellationError()) }
        }
    }

    private func takePiece() -> [UInt8] {
        let piece = pieces[firstPiece]
        pieces[firstPiece] = []
        firstPiece += 1
        if firstPiece == pieces.count {
            pieces.removeAll(keepingCapacity: true)
            firstPiece = 0
        }
        let before = bufferedBytes
        bufferedBytes -= piece.count
        if before > Self.lowWaterBytes, bufferedBytes <= Self.lowWaterBytes, case .open = end {
            source?.bodyIsWanted()
        }
        return piece
    }

    /// Nobody reads any longer: what came and what comes is dropped.
    func abandon() {
        guard !isAbandoned else { return }
        isAbandoned = true
        pieces = []
        firstPiece = 0
        bufferedBytes = 0
        if case .open = end { source?.bodyIsAbandoned() }
    }
}

/// The reader's end of a channel. Read it once, from one task; dropping it tells the connection that nobody reads.
final class HTTPBodyStream: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    private let channel: HTTPBodyChannel
    private let loop: EventLoop

    init(_ channel: HTTPBodyChannel, loop: EventLoop) {
        self.channel = channel
        self.loop = loop
    }

    deinit { loop.perform { [channel] in channel.abandon() } }

    struct Iterator: AsyncIteratorProtocol {
        typealias Element = [UInt8]
        typealias Failure = any Error
        /// Keeps the channel's reader alive as long as somebody iterates.
        let stream: HTTPBodyStream

        mutating func next() async throws -> [UInt8]? { try await stream.channel.next() }
        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            try await stream.channel.next()
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(stream: self) }
}
