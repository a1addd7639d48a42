internal import EventLoop

/// A body on its way from a socket to its reader: bounded by pausing the socket, not by dropping.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; `next` hops there when called elsewhere.
final class BodyChannel: AsyncSequence, @unchecked Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    /// Bytes that may wait for the reader before the socket is paused.
    static let highWaterBytes = 64 * 1024

    private let loop: EventLoop
    private var pieces: [[UInt8]] = []
    private var buffered = 0
    private var outcome: Result<Void, any Error>?
    private var reader: CheckedContinuation<[UInt8]?, any Error>?
    /// The reader caught up: the socket may go on.
    var onSpace: (() -> Void)?
    /// The reader is gone and wants no more.
    var onAbandon: (() -> Void)?

    init(loop: EventLoop) { self.loop = loop }

    var isFull: Bool { buffered >= Self.highWaterBytes }

    // MARK: The socket's side

    func push(_ bytes: [UInt8]) {
        guard outcome == nil, !bytes.isEmpty else { return }
        if let reader {
            self.reader = nil
            reader.resume(returning: bytes)
            return
        }
        pieces.append(bytes)
        buffered += bytes.count
    }

    func finish(_ error: (any Error)? = nil) {
        guard outcome == nil else { return }
        outcome = error.map { .failure($0) } ?? .success(())
        onSpace = nil
        guard let reader else { return }
        self.reader = nil
        if let error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
    }

    // MARK: The reader's side

    /// The next piece, or nil at the end.
    /// - Throws: what ended the body early; `CancellationError` when the reading task was cancelled.
    func next() async throws -> [UInt8]? {
        guard loop.isCurrent else { return try await loop.run { try await self.next() } }
        if !pieces.isEmpty {
            let piece = pieces.removeFirst()
            let wasFull = isFull
            buffered -= piece.count
            if wasFull, !isFull { onSpace?() }
            return piece
        }
        if let outcome {
            try outcome.get()
            return nil
        }
        try Task.checkCancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { reader = $0 }
        } onCancel: {
            loop.execute { self.cancelReader() }
        }
    }

    private func cancelReader() {
        guard let reader else { return }
        self.reader = nil
        reader.resume(throwing: CancellationError())
    }

    func makeAsyncIterator() -> Iterator { Iterator(token: Token(channel: self)) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let token: Token
        mutating func next() async throws -> [UInt8]? { try await token.channel.next() }
        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            try await token.channel.next()
        }
    }

    /// Lives as long as the iterator: an abandoned body frees its connection.
    fileprivate final class Token: Sendable {
        let channel: BodyChannel
        init(channel: BodyChannel) { self.channel = channel }
        deinit {
            let channel = channel
            if channel.loop.isCurrent { channel.abandon() } else { channel.loop.execute { channel.abandon() } }
        }
    }

    private func abandon() {
        guard let onAbandon else { return }
        self.onAbandon = nil
        onAbandon()
    }
}
