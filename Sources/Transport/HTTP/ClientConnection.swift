internal import EventLoop
internal import HTTPCodec

/// One connection to a peer: one request at a time, its body out and the answer's body in with back-pressure.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class ClientConnection: TCPConnectionDelegate, @unchecked Sendable {
    private enum State {
        case idle
        case waiting(HTTPMethod)
        case body(HTTPBodyDecoder, BodyChannel, keepsAlive: Bool)
        case closed
    }

    let host: HTTPHost
    /// Loop milliseconds after which the exchange is given up.
    private(set) var deadline: UInt64 = .max
    var idleSince: UInt64 = 0
    /// Nothing of an answer has been seen on this exchange.
    private(set) var isUntouched = true

    private let tcp: TCPConnection
    private let owner: ClientLoop
    private var state = State.idle
    private var input: [UInt8] = []
    private var scanned = 0
    private var head: CheckedContinuation<HTTPResponse, any Error>?
    private var writer: CheckedContinuation<Void, any Error>?
    private var upload: Task<Void, Never>?
    private var isUploading = false
    private var peerEnded = false

    private static let writeHighWaterBytes = 64 * 1024

    init(tcp: TCPConnection, host: HTTPHost, owner: ClientLoop) {
        self.tcp = tcp
        self.host = host
        self.owner = owner
        tcp.delegate = self
        tcp.startReading()
    }

    var isOpen: Bool {
        if case .closed = state { return false }
        return tcp.isOpen
    }

    func close() { tcp.close() }

    func timeOut() { fail(.timedOut) }

    // MARK: The exchange

    /// Sends a request and waits for the head of its answer.
    func exchange(_ request: HTTPRequest, deadline: UInt64) async throws -> HTTPResponse {
        state = .waiting(request.method)
        isUntouched = true
        scanned = 0
        self.deadline = deadline
        owner.activate(self)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                head = continuation
                if isOpen { start(request) } else { fail(.disconnected) }
            }
        } onCancel: {
            owner.loop.execute { if self.head != nil { self.fail(.disconnected) } }
        }
    }

    private func start(_ request: HTTPRequest) {
        let framing: HTTPFraming =
            switch request.body {
            case .empty: Self.sendsLength(request.method) ? .length(0) : .none
            case .bytes(let bytes): .length(bytes.count)
            case .stream(let length, _): length.map(HTTPFraming.length) ?? .chunked
            }
        owner.output.removeAll(keepingCapacity: true)
        HTTPSerializer.requestHead(
            method: request.method, target: request.target, host: host.authority, fields: request.headers,
            framing: framing, into: &owner.output)
        switch request.body {
        case .empty: flush()
        case .bytes(let bytes):
            owner.output.append(contentsOf: bytes)
            flush()
        case .stream(let length, let pieces):
            flush()
            isUploading = true
            upload = owner.loop.spawn { [self] in await send(pieces, isChunked: length == nil) }
        }
    }

    private static func sendsLength(_ method: HTTPMethod) -> Bool {
        switch method {
        case .post, .put, .patch: true
        default: false
        }
    }

    private func flush() { owner.output.withUnsafeBytes { tcp.write($0) } }

    private func send(_ pieces: any AsyncSequence<[UInt8], any Error> & Sendable, isChunked: Bool) async {
        do {
            for try await piece in pieces {
                guard isOpen else { return }
                if isChunked {
                    owner.output.removeAll(keepingCapacity: true)
                    piece.withUnsafeBytes { HTTPSerializer.chunk($0, into: &owner.output) }
                    flush()
                } else {
                    piece.withUnsafeBytes { tcp.write($0) }
                }
                if tcp.queuedBytes > Self.writeHighWaterBytes {
                    try await withCheckedThrowingContinuation { writer = $0 }
                }
            }
            if isChunked {
                owner.output.removeAll(keepingCapacity: true)
                HTTPSerializer.lastChunk(into: &owner.output)
                flush()
            }
            isUploading = false
        } catch {
            // The peer must not take half a body for a whole one.
            fail(.disconnected)
        }
    }

    func drained() {
        guard let writer else { return }
        self.writer = nil
        writer.resume()
    }

    // MARK: The answer

    func received(_ bytes: UnsafeRawBufferPointer) {
        isUntouched = false
        if input.isEmpty {
            let taken = process(bytes)
            if taken < bytes.count, isOpen { input.append(contentsOf: bytes[taken...]) }
        } else {
            input.append(contentsOf: bytes)
            processInput()
        }
    }

    private func processInput() {
        guard !input.isEmpty else { return }
        let buffer = input
        input = []
        let taken = buffer.withUnsafeBytes { process($0) }
        if taken < buffer.count, isOpen { input = Array(buffer[taken...]) + input }
        if peerEnded, input.isEmpty { endOfInput() }
    }

    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        do throws(HTTPParseError) {
            while offset < bytes.count {
                switch state {
                case .idle, .closed:
                    // A peer that speaks out of turn cannot be trusted with another request.
                    close()
                    return bytes.count
                case .waiting(let method):
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                    guard
                        let answer = try HTTPHeadParser.response(
                            rest, scanned: &scanned, limits: owner.limits, requestMethod: method)
                    else { return offset }
                    scanned = 0
                    offset += answer.byteCount
                    // 100 Continue and other interim answers are passed over.
                    if answer.status.code < 200 { continue }
                    try begin(answer, bytes, &offset)
                case .body(var decoder, let body, let keepsAlive):
                    guard !body.isFull else {
                        tcp.pauseReading()
                        return offset
                    }
                    switch try decoder.next(bytes, offset: &offset) {
                    case .data(let range):
                        body.push(Array(bytes[range]))
                        state = .body(decoder, body, keepsAlive: keepsAlive)
                        if decoder.isComplete { complete(body, keepsAlive) }
                    case .needMore: state = .body(decoder, body, keepsAlive: keepsAlive)
                    case .end: complete(body, keepsAlive)
                    }
                }
            }
        } catch {
            fail(error.status == .contentTooLarge ? .responseTooLarge : .malformedResponse(error.code))
            return bytes.count
        }
        return offset
    }

    private func begin(
        _ answer: HTTPResponseHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(HTTPParseError) {
        var response = HTTPResponse(status: answer.status, headers: answer.fields)
        let keepsAlive = answer.keepsAlive && !isUploading
        switch answer.framing {
        case .none, .length(0):
            answered(response)
            finish(keepsAlive)
        case .length(let count) where count > owner.limits.maxBodyBytes:
            throw HTTPParseError(.contentTooLarge, "body_too_large", "the body is too large")
        case .length(let count) where bytes.count - offset >= count:
            response.body = .bytes(Array(bytes[offset..<offset + count]))
            offset += count
            answered(response)
            finish(keepsAlive)
        default:
            let body = BodyChannel(loop: owner.loop)
            body.onSpace = { [weak self] in self?.goOn() }
            body.onAbandon = { [weak self] in self?.abandoned(body) }
            let length: Int? = if case .length(let count) = answer.framing { count } else { nil }
            response.body = .stream(length: length, body)
            state = .body(
                HTTPBodyDecoder(framing: answer.framing, limits: owner.limits), body, keepsAlive: keepsAlive)
            answered(response)
        }
    }

    private func goOn() {
        // Not from within the reader's own step.
        owner.loop.execute { [weak self] in
            guard let self else { return }
            processInput()
            let isFull = if case .body(_, let body, _) = state { body.isFull } else { false }
            if !isFull, !peerEnded { tcp.startReading() }
        }
    }

    /// Nobody reads the rest: the connection cannot be used again.
    private func abandoned(_ body: BodyChannel) {
        if case .body(_, let current, _) = state, current === body { close() }
    }

    private func answered(_ response: HTTPResponse) {
        guard let head else { return }
        self.head = nil
        head.resume(returning: response)
    }

    private func complete(_ body: BodyChannel, _ keepsAlive: Bool) {
        body.onAbandon = nil
        body.finish()
        finish(keepsAlive)
    }

    private func finish(_ keepsAlive: Bool) {
        owner.deactivate(self)
        deadline = .max
        state = .idle
        if keepsAlive { owner.release(self) } else { close() }
    }

    // MARK: The end

    private func fail(_ error: HTTPClientError) {
        if let head {
            self.head = nil
            head.resume(throwing: error)
        }
        if case .body(_, let body, _) = state { body.finish(error) }
        close()
    }

    func receivedEnd() {
        peerEnded = true
        // What was received before the end comes first.
        if input.isEmpty { endOfInput() } else if case .waiting = state { endOfInput() }
    }

    private func endOfInput() {
        if case .body(let decoder, let body, _) = state, decoder.endsWithConnection {
            complete(body, false)
            return
        }
        fail(.disconnected)
    }

    func closed() {
        fail(.disconnected)
        state = .closed
        owner.deactivate(self)
        upload?.cancel()
        if let writer {
            self.writer = nil
            writer.resume(throwing: HTTPClientError.disconnected)
        }
        owner.forget(self)
    }
}
