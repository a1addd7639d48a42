internal import EventLoop
internal import HTTPCodec

/// Responses in, bytes out.
extension HTTPServerConnection {
    /// Writes an answer that is there: now, unless its body is still being made.
    func answer(_ response: HTTPResponse) {
        guard !tcp.isClosed else { return }
        if case .stream = response.body { return handOver(.send(response)) }
        var response = response
        writeWhole(&response)
        responseEnded()
    }

    /// Does a job in the connection's task, and writes what comes of it.
    nonisolated func perform(_ job: Job) async {
        var response: HTTPResponse
        do {
            switch job {
            case .handle(let request, let handler): response = try await handler(request)
            case .wait(let work): response = try await work()
            case .send(let made): response = made
            }
        } catch {
            // Nobody is there to read an answer.
            if hasEnded, error is CancellationError || error as? HTTPBodyCut == .disconnected { return cut() }
            response = HTTPResponse(transportError: error) ?? .unexpectedError
        }
        guard !tcp.isClosed else { return }
        if case .stream(let length, let pieces) = response.body {
            writeHead(&response, length: length)
            if hasBody(response.status), await !send(pieces, length) { return cut() }
            guard !tcp.isClosed else { return }
        } else {
            writeWhole(&response)
        }
        responseEnded()
    }

    /// A response whose body, if any, is in memory.
    private func writeWhole(_ response: inout HTTPResponse) {
        guard case .bytes(let bytes) = response.body else { return writeHead(&response, length: 0) }
        writeHead(&response, length: bytes.count)
        if hasBody(response.status) { write(bytes) }
    }

    // MARK: Heads

    private func hasBody(_ status: HTTPStatus) -> Bool {
        method != .head && status != .noContent && status != .notModified && status.code >= 200
    }

    /// - Parameter length: nil when the body is streamed and its length is not known.
    private func writeHead(_ response: inout HTTPResponse, length: Int?) {
        hasResponded = true
        // A status that only a connection could give (1xx) is no answer.
        if response.status.code < 200 || response.status.code > 599 { response = .unexpectedError }
        var framing: HTTPFraming
        if response.status == .noContent || response.status == .notModified {
            framing = .none
        } else if let length {
            framing = .length(length)
            // The answer to HEAD may tell the length of the body that GET would have.
            if method == .head, length == 0, let told = response.headers["content-length"].flatMap(Int.init), told >= 0
            {
                framing = .length(told)
            }
        } else if minorVersion == 1 {
            framing = .chunked
        } else {
            framing = .untilClose
            keepsAlive = false
        }
        if shard.isDraining || hasEnded || !canDiscardRest { keepsAlive = false }
        // A variable of this function, which the compiler knows that nobody else touches meanwhile.
        var buffer = takeOutput()
        HTTPSerializer.responseHead(
            status: response.status, fields: response.headers, framing: framing, keepsAlive: keepsAlive,
            date: shard.date, minorVersion: minorVersion, into: &buffer)
        output = buffer
    }

    /// Whether what is left of the request's body is little enough to be read and dropped.
    private var canDiscardRest: Bool {
        if hasBrokenBody { return false }
        guard let incoming else { return true }
        return !incoming.awaitsContinue && (incoming.remainingBytes ?? 0) <= Self.maxDiscardedBytes
    }

    // MARK: Bodies

    private func write(_ bytes: [UInt8]) {
        if bytes.count <= Self.maxOutputBytes {
            output.append(contentsOf: bytes)
            return
        }
        // Large enough to be worth not copying.
        let buffer = takeOutput()
        buffer.withUnsafeBytes { head in bytes.withUnsafeBytes { tcp.write(head, $0) } }
        shard.giveBack(consume buffer)
    }

    /// Writes the pieces as they come, no faster than the peer reads.
    /// - Returns: false when the body is not whole: the connection must not be used any more.
    private nonisolated func send(
        _ pieces: some AsyncSequence<[UInt8], any Error>, _ length: Int?
    ) async -> Bool {
        var left = length ?? 0
        do {
            for try await piece in pieces {
                guard !tcp.isClosed else { return false }
                guard !piece.isEmpty else { continue }
                if length != nil {
                    guard piece.count <= left else { return false }
                    left -= piece.count
                }
                writePiece(piece, isChunk: length == nil && minorVersion == 1)
                if tcp.isCongested {
                    await withCheckedContinuation { writable = $0 }
                    guard !tcp.isClosed else { return false }
                }
            }
        } catch {
            return false
        }
        guard left == 0, !tcp.isClosed else { return false }
        if length == nil, minorVersion == 1 {
            var buffer = takeOutput()
            HTTPSerializer.lastChunk(into: &buffer)
            output = buffer
        }
        return true
    }

    private func writePiece(_ piece: [UInt8], isChunk: Bool) {
        if isChunk {
            var buffer = takeOutput()
            piece.withUnsafeBytes { HTTPSerializer.chunk($0, into: &buffer) }
            output = buffer
        } else {
            write(piece)
        }
        if output.count > Self.maxOutputBytes { flush() } else { flushSoon() }
    }

    // MARK: Output

    /// The buffer with what is not handed to the socket yet; who takes it puts it back.
    private func takeOutput() -> [UInt8] {
        var buffer: [UInt8] = []
        swap(&buffer, &output)
        return buffer.capacity == 0 ? shard.borrowOutput() : buffer
    }

    /// Hands what is written to the socket.
    func flush() {
        guard !output.isEmpty else { return }
        let buffer = takeOutput()
        buffer.withUnsafeBytes { tcp.write($0) }
        shard.giveBack(consume buffer)
    }

    /// The head of a streamed response and its first pieces leave together when they are made in one turn.
    func flushSoon() {
        guard !isFlushScheduled, !isProcessing else { return }
        isFlushScheduled = true
        shard.loop.execute { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    // MARK: What follows

    private func responseEnded() {
        guard keepsAlive else { return finishLast() }
        if incoming == nil {
            nextRequest()
        } else {
            incoming?.channel = nil
            phase = .discarding
            beginBodyPeriod()
        }
        guard !isProcessing else { return }
        processInput()
        if job == nil { flush() }
        updateReading()
    }

    private func finishLast() {
        flush()
        if incoming == nil, !hasBrokenBody, input.isEmpty || hasEnded {
            phase = .lingering
            tcp.closeWhenDrained()
        } else {
            linger()
        }
    }

    func nextRequest() {
        phase = .reading
        incoming = nil
        guard keepsAlive, !shard.isDraining else { return finishLast() }
        setDeadline(seconds: shard.configuration.idleTimeoutSeconds)
        deadlineIsIdle = true
    }

    /// Answers without a handler, and closes.
    func refuse(_ response: HTTPResponse) {
        var response = response
        method = .get
        minorVersion = 1
        keepsAlive = false
        writeHead(&response, length: response.body.wholeCount)
        if case .bytes(let bytes) = response.body { write(bytes) }
        flush()
        linger()
    }

    /// Closing with bytes unread would reset the connection, and the peer might never see the response: so it is
    /// told the end, and what it still sends is dropped for a moment.
    func linger() {
        flush()
        incoming = nil
        input = []
        phase = .lingering
        deadline = shard.loop.nowMilliseconds + Self.lingerMilliseconds
        if hasEnded { return tcp.closeWhenDrained() }
        tcp.shutdownWriting()
        tcp.startReading()
    }
}

extension HTTPBody {
    fileprivate var wholeCount: Int { if case .bytes(let bytes) = self { bytes.count } else { 0 } }
}
