internal import EventLoop
internal import HTTPCodec
internal import TLS
internal import Telemetry

/// One connection to a peer: a request, its response, then the next, or the end.
///
/// What is here sends, and ends; `+Receiving` takes the response apart.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class HTTPClientConnection: TCPConnectionDelegate, HTTPBodySource, @unchecked Sendable {
    let tcp: TCPConnection
    let pool: HTTPClientPool
    let shard: HTTPClientShard
    var exchange: HTTPClientExchange?
    /// Received, and not enough for a head yet.
    var input: [UInt8] = []
    var scanned = 0
    /// Whether it has served before: then the peer may have closed it meanwhile.
    var isReused = false
    var idleSinceMilliseconds: UInt64 = 0
    let alarm: LoopAlarm
    private var isLost = false
    /// The task that writes a streamed body, while the socket is full.
    private var writable: CheckedContinuation<Void, Never>?

    private static let maxJoinedBodyBytes = 32 * 1024

    init(tcp: TCPConnection, pool: HTTPClientPool) {
        self.tcp = tcp
        self.pool = pool
        shard = pool.shard
        alarm = LoopAlarm(loop: tcp.loop)
        tcp.delegate = self
        alarm.action = { [unowned self] in
            if let exchange { fail(exchange, HTTPClientError.timedOut) }
        }
        tcp.startReading()
    }

    /// Whether the peer has closed it, or said something unasked.
    var isProbablyDead: Bool { tcp.hasUnreadInput }

    // MARK: Sending

    /// - Parameters: context: what the peer is told of. - deadline: monotonic nanoseconds.
    func send(
        _ request: HTTPRequest, in context: TelemetryContext, until deadline: UInt64,
        _ observation: HTTPClientObservation?
    ) async throws -> HTTPResponse {
        let exchange = HTTPClientExchange(method: request.method, observation: observation)
        try begin(exchange, request, in: context, until: deadline)
        return try await withTaskCancellationHandler {
            // Safety: an exchange has one receiver, and whoever takes it resumes it once.
            try await withUnsafeThrowingContinuation { continuation in
                if let failure = exchange.failure {
                    continuation.resume(throwing: failure)
                } else {
                    exchange.receiver = .task(continuation)
                }
            }
        } onCancel: {
            tcp.loop.perform { [self] in fail(exchange, CancellationError()) }
        }
    }

    /// Writes the request, or begins to.
    /// - Throws: `StaleConnection`, `HTTPClientError`; then nothing was written.
    func begin(
        _ exchange: HTTPClientExchange, _ request: HTTPRequest, in context: TelemetryContext, until deadline: UInt64
    ) throws {
        // The peer may have closed it since the pool handed it over.
        guard !tcp.isClosed else { throw isReused ? StaleConnection() : HTTPClientError.disconnected }
        self.exchange = exchange
        alarm.set(afterMilliseconds: Deadline.millisecondsLeft(deadline))
        switch request.body {
        case .empty:
            try writeHead(exchange, request, context, deadline, .none)
            exchange.isRequestSent = true
        case .bytes(let bytes):
            try writeHead(exchange, request, context, deadline, .length(bytes.count), bytes)
            exchange.isRequestSent = true
        case .stream(let length, let pieces):
            try writeHead(exchange, request, context, deadline, length.map(HTTPFraming.length) ?? .chunked)
            exchange.pump = tcp.loop.spawn { [self] in await pump(exchange, pieces, length) }
        }
    }

    private func writeHead(
        _ exchange: HTTPClientExchange, _ request: HTTPRequest, _ context: TelemetryContext, _ deadline: UInt64,
        _ framing: HTTPFraming, _ body: [UInt8] = []
    ) throws {
        var output = shard.borrowOutput()
        let own = shard.borrowFields(context, exchange.observation, deadline)
        let isValid = HTTPSerializer.requestHead(
            method: request.method, target: request.target, host: pool.endpoint.authority, fields: request.headers,
            own: own, framing: framing, into: &output)
        shard.giveBack(consume own)
        guard isValid else {
            // Nothing was written: the connection is as good as before.
            self.exchange = nil
            alarm.clear()
            pool.release(self)
            throw HTTPClientError.invalidRequest("its method is not a token (RFC 9110, section 9.1)")
        }
        if body.count <= Self.maxJoinedBodyBytes {
            output.append(contentsOf: body)
            output.withUnsafeBytes { tcp.write($0) }
        } else {
            output.withUnsafeBytes { head in body.withUnsafeBytes { tcp.write(head, $0) } }
        }
        shard.giveBack(consume output)
    }

    /// Writes a streamed body no faster than the peer reads.
    private func pump(
        _ exchange: HTTPClientExchange, _ pieces: some AsyncSequence<[UInt8], any Error>, _ length: Int?
    ) async {
        var left = length ?? 0
        do {
            for try await piece in pieces {
                guard self.exchange === exchange, !tcp.isClosed else { return }
                if length != nil {
                    guard piece.count <= left else { throw HTTPClientError.invalidRequest("the body is too long") }
                    left -= piece.count
                    piece.withUnsafeBytes { tcp.write($0) }
                } else {
                    writeChunk(piece)
                }
                if tcp.isCongested { await withCheckedContinuation { writable = $0 } }
            }
            guard left == 0 else { throw HTTPClientError.invalidRequest("the body is shorter than its length") }
        } catch {
            return fail(exchange, error)
        }
        guard self.exchange === exchange, !tcp.isClosed else { return }
        if length == nil { writeChunk(nil) }
        exchange.isRequestSent = true
        exchange.pump = nil
    }

    /// - Parameter piece: nil ends the body.
    private func writeChunk(_ piece: [UInt8]?) {
        var output = shard.borrowOutput()
        if let piece {
            piece.withUnsafeBytes { HTTPSerializer.chunk($0, into: &output) }
        } else {
            HTTPSerializer.lastChunk(into: &output)
        }
        output.withUnsafeBytes { tcp.write($0) }
        shard.giveBack(consume output)
    }

    func connectionDrained(_ connection: TCPConnection) { resumeWriter() }

    private func resumeWriter() {
        guard let writable else { return }
        self.writable = nil
        writable.resume()
    }

    // MARK: The end of an exchange

    /// The response is complete: the connection goes back to the pool, unless something is left over.
    func complete(_ exchange: HTTPClientExchange, isClean: Bool) {
        self.exchange = nil
        alarm.clear()
        exchange.channel?.finish()
        exchange.observation?.ended()
        if isClean, exchange.keepsAlive, exchange.isRequestSent, !tcp.isClosed {
            tcp.startReading()
            pool.release(self)
        } else {
            exchange.pump?.cancel()
            close()
        }
    }

    func fail(_ exchange: HTTPClientExchange, _ error: any Error) {
        guard self.exchange === exchange else { return }
        self.exchange = nil
        alarm.clear()
        exchange.pump?.cancel()
        if let receiver = exchange.takeReceiver() {
            close()
            return receiver.resume(.failure(error))
        } else if let channel = exchange.channel {
            exchange.observation?.failed(error)
            channel.fail(error)
        } else {
            exchange.failure = error
        }
        close()
    }

    // MARK: The end of the connection

    func close() {
        tcp.close()
        leave()
    }

    private func leave() {
        guard !isLost else { return }
        isLost = true
        pool.lost(self)
    }

    func connectionClosed(_ connection: TCPConnection, error: TCPError?) {
        if let exchange { fail(exchange, tlsFailure(error) ?? disconnection(exchange)) }
        resumeWriter()
        alarm.close()
        leave()
    }

    /// What TLS found wrong after its handshake: there, too, a peer may refuse the client's certificate.
    private func tlsFailure(_ error: TCPError?) -> HTTPClientError? {
        guard let error, let reason = TLSError.Reason(rawValue: error.code) else { return nil }
        return .tlsFailed(TLSError(reason, error.description))
    }

    /// What a connection that ends under a request means for it.
    func disconnection(_ exchange: HTTPClientExchange) -> any Error {
        isReused && !exchange.hasResponse ? StaleConnection() : HTTPClientError.disconnected
    }
}
