internal import EventLoop
internal import HTTPCodec

/// One client: reads requests one after the other, runs the handler on the loop, writes the answers in order.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; handlers' tasks run there too.
final class ServerConnection: TCPConnectionDelegate, @unchecked Sendable {
    /// Where the connection stands; what a state needs lives in it.
    private enum State {
        /// Between requests, or within a head.
        case head
        /// The handler works; a body may still be arriving.
        case handling(Exchange)
        /// The answer is written, the rest of a refused body is thrown away for a moment (RFC 9112, section 9.6).
        case lingering(left: Int)
        case closed
    }

    /// A request whose answer is not complete yet.
    private struct Exchange {
        var method: HTTPMethod
        var keepsAlive: Bool
        var decoder: HTTPBodyDecoder?
        var body: BodyChannel?
        var task: Task<Void, Never>?
    }

    let peerAddress: String
    /// Place in the server's list.
    var slot = 0
    private let tcp: TCPConnection
    private let server: ServerLoop
    private var state = State.head
    private var input: [UInt8] = []
    private var scanned = 0
    private var isProcessing = false
    private var peerEnded = false
    /// Loop milliseconds after which the connection is cut; 0 for never.
    private var deadline: UInt64 = 0
    private var writer: CheckedContinuation<Void, any Error>?

    private static let writeHighWaterBytes = 64 * 1024
    private static let lingerBytes = 256 * 1024
    private static let lingerMilliseconds: UInt64 = 2_000

    init(tcp: TCPConnection, server: ServerLoop, peerAddress: String) {
        self.tcp = tcp
        self.server = server
        self.peerAddress = peerAddress
    }

    func start() {
        tcp.delegate = self
        expectWithin(server.configuration.headTimeoutSeconds)
        tcp.startReading()
    }

    // MARK: Time

    private func expectWithin(_ seconds: Int) {
        deadline = server.loop.nowMilliseconds + UInt64(seconds) * 1000
    }

    func cutIfLate(_ now: UInt64) {
        guard deadline != 0, now >= deadline else { return }
        switch state {
        case .head where !input.isEmpty:
            refuse(HTTPParseError(.requestTimeout, "request_timeout", "the request did not arrive in time"))
        case .handling(let exchange) where exchange.body != nil && writer == nil:
            exchange.body?.finish(HTTPConnectionError.timedOut)
            cut()
        default: cut()
        }
    }

    func closeIfIdle() {
        if case .head = state, input.isEmpty { cut() }
    }

    func cut() { tcp.close() }

    // MARK: Reading

    func received(_ bytes: UnsafeRawBufferPointer) {
        if case .lingering(let left) = state {
            if left < bytes.count { cut() } else { state = .lingering(left: left - bytes.count) }
            return
        }
        if input.isEmpty, !isProcessing {
            let taken = process(bytes)
            if taken < bytes.count { input.append(contentsOf: bytes[taken...]) }
        } else {
            input.append(contentsOf: bytes)
            if !isProcessing { processInput() }
        }
        boundInput()
    }

    private func processInput() {
        guard !input.isEmpty, !isProcessing else { return }
        // Taken out while it is worked on, so that nothing appends to what is being read.
        let buffer = input
        input = []
        let taken = buffer.withUnsafeBytes { process($0) }
        if taken < buffer.count { input = Array(buffer[taken...]) + input }
        if peerEnded, input.isEmpty { endOfInput() } else { boundInput() }
    }

    /// A client that sends faster than it is answered waits in its own socket.
    private func boundInput() {
        switch state {
        case .handling(let exchange):
            let isBodyFull = exchange.body?.isFull ?? false
            if isBodyFull || input.count > server.limits.maxHeadBytes { tcp.pauseReading() } else { resumeReading() }
        case .head, .lingering: resumeReading()
        case .closed: break
        }
    }

    private func resumeReading() {
        if !peerEnded { tcp.startReading() }
    }

    /// Works through what has arrived.
    /// - Returns: how many of the bytes are done with.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        isProcessing = true
        defer { isProcessing = false }
        var offset = 0
        do throws(HTTPParseError) {
            while offset < bytes.count {
                switch state {
                case .head:
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                    guard
                        let head = try HTTPHeadParser.request(rest, scanned: &scanned, limits: server.limits)
                    else {
                        if offset > 0 || input.isEmpty { expectWithin(server.configuration.headTimeoutSeconds) }
                        return offset
                    }
                    scanned = 0
                    offset += head.byteCount
                    try begin(head, bytes, &offset)
                case .handling(var exchange):
                    guard var decoder = exchange.decoder, !decoder.isComplete, let body = exchange.body else {
                        return offset
                    }
                    guard !body.isFull else {
                        tcp.pauseReading()
                        return offset
                    }
                    try read(&decoder, bytes, &offset, into: body)
                    exchange.decoder = decoder
                    keep(exchange)
                case .lingering, .closed:
                    return bytes.count
                }
            }
        } catch {
            refuse(error)
            return bytes.count
        }
        return offset
    }

    /// Keeps the decoder's progress, unless the handler ended meanwhile.
    private func keep(_ exchange: Exchange) {
        guard case .handling(var current) = state else { return }
        current.decoder = exchange.decoder
        state = .handling(current)
    }

    private func read(
        _ decoder: inout HTTPBodyDecoder, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, into body: BodyChannel
    ) throws(HTTPParseError) {
        while !body.isFull {
            let step: HTTPBodyDecoder.Step
            do throws(HTTPParseError) {
                step = try decoder.next(bytes, offset: &offset)
            } catch {
                body.finish(error)
                throw error
            }
            switch step {
            case .data(let range):
                expectWithin(server.configuration.bodyProgressTimeoutSeconds)
                body.push(Array(bytes[range]))
            case .needMore: return
            case .end:
                deadline = 0
                body.finish()
                return
            }
        }
        deadline = 0
        tcp.pauseReading()
    }

    // MARK: Requests

    private func begin(
        _ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(HTTPParseError) {
        var exchange = Exchange(method: head.method, keepsAlive: head.keepsAlive)
        var request = HTTPRequest(
            method: head.method, target: head.target, headers: head.fields, peerAddress: peerAddress)
        deadline = 0
        if head.framing != .none {
            if head.expectsContinue, offset == bytes.count { continueRequest() }
            if let whole = try wholeBody(head, bytes, &offset) {
                request.body = .bytes(whole)
            } else {
                let body = makeChannel()
                var decoder = HTTPBodyDecoder(framing: head.framing, limits: server.limits)
                try read(&decoder, bytes, &offset, into: body)
                let length: Int? = if case .length(let count) = head.framing { count } else { nil }
                request.body = .stream(length: length, body)
                exchange.decoder = decoder
                exchange.body = body
                if !decoder.isComplete { expectWithin(server.configuration.bodyProgressTimeoutSeconds) }
            }
        }
        state = .handling(exchange)
        run(request)
    }

    private func continueRequest() {
        Array("HTTP/1.1 100 Continue\r\n\r\n".utf8).withUnsafeBytes { tcp.write($0) }
    }

    /// The body when all of it is already here: the usual case, which then needs no channel.
    private func wholeBody(
        _ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(HTTPParseError) -> [UInt8]? {
        if case .length(let count) = head.framing {
            guard bytes.count - offset >= count else { return nil }
            defer { offset += count }
            return Array(bytes[offset..<offset + count])
        }
        var decoder = HTTPBodyDecoder(framing: head.framing, limits: server.limits)
        var position = offset
        var body: [UInt8] = []
        while true {
            switch try decoder.next(bytes, offset: &position) {
            case .data(let range): body.append(contentsOf: bytes[range])
            case .needMore: return nil
            case .end:
                offset = position
                return body
            }
        }
    }

    private func makeChannel() -> BodyChannel {
        let body = BodyChannel(loop: server.loop)
        body.onSpace = { [weak self] in
            guard let self else { return }
            if case .handling(let exchange) = state, exchange.decoder?.isComplete == false {
                expectWithin(server.configuration.bodyProgressTimeoutSeconds)
            }
            // Not from within the reader's own step.
            server.loop.execute { [weak self] in
                self?.processInput()
                self?.boundInput()
            }
        }
        return body
    }

    private func run(_ request: HTTPRequest) {
        let handler = server.handler
        let task = server.loop.spawn { [self] in
            var response: HTTPResponse
            do {
                response = try await handler(request)
            } catch {
                response = HTTPResponse(status: .internalServerError)
            }
            await respond(response)
        }
        if case .handling(var exchange) = state {
            exchange.task = task
            state = .handling(exchange)
        }
    }

    // MARK: Responses

    private func respond(_ response: HTTPResponse) async {
        guard case .handling(let exchange) = state else { return }
        // A body that nobody read to its end leaves the connection unusable.
        let isBodyRead = self.isBodyRead
        let keepsAlive = exchange.keepsAlive && isBodyRead && !server.isDraining
        let hasBody =
            exchange.method != .head && response.status.code >= 200
            && response.status != .noContent && response.status != .notModified

        server.output.removeAll(keepingCapacity: true)
        switch response.body {
        case .empty:
            writeHead(response, hasBody || exchange.method == .head ? .length(0) : .none, keepsAlive)
            flush()
        case .bytes(let bytes):
            writeHead(
                response, hasBody || exchange.method == .head ? .length(bytes.count) : .none, keepsAlive)
            if hasBody { server.output.append(contentsOf: bytes) }
            flush()
        case .stream(let length, let pieces):
            writeHead(response, length.map(HTTPFraming.length) ?? .chunked, keepsAlive)
            flush()
            if hasBody {
                do {
                    try await stream(pieces, length: length)
                } catch {
                    // The client must not take half a body for a whole one.
                    cut()
                    return
                }
            }
        }
        finish(keepsAlive: keepsAlive)
    }

    private var isBodyRead: Bool {
        guard case .handling(let exchange) = state, let decoder = exchange.decoder else { return true }
        return decoder.isComplete
    }

    private func writeHead(_ response: HTTPResponse, _ framing: HTTPFraming, _ keepsAlive: Bool) {
        HTTPSerializer.responseHead(
            status: response.status, fields: response.headers, framing: framing, keepsAlive: keepsAlive,
            date: server.currentDate(), into: &server.output)
    }

    private func flush() { server.output.withUnsafeBytes { tcp.write($0) } }

    private func stream(
        _ pieces: any AsyncSequence<[UInt8], any Error> & Sendable, length: Int?
    ) async throws {
        var left = length ?? 0
        for try await piece in pieces {
            guard tcp.isOpen else { throw HTTPConnectionError.disconnected }
            if length == nil {
                server.output.removeAll(keepingCapacity: true)
                piece.withUnsafeBytes { HTTPSerializer.chunk($0, into: &server.output) }
                flush()
            } else {
                left -= piece.count
                guard left >= 0 else { throw HTTPConnectionError.wrongLength }
                piece.withUnsafeBytes { tcp.write($0) }
            }
            if tcp.queuedBytes > Self.writeHighWaterBytes { try await drainWrites() }
        }
        if length == nil {
            server.output.removeAll(keepingCapacity: true)
            HTTPSerializer.lastChunk(into: &server.output)
            flush()
        } else if left != 0 {
            throw HTTPConnectionError.wrongLength
        }
    }

    private func drainWrites() async throws {
        expectWithin(server.configuration.writeProgressTimeoutSeconds)
        try await withCheckedThrowingContinuation { writer = $0 }
        deadline = 0
    }

    func drained() {
        guard let writer else {
            if case .handling = state { deadline = 0 }
            return
        }
        self.writer = nil
        writer.resume()
    }

    /// After an answer: the next request, or the end.
    private func finish(keepsAlive: Bool) {
        guard case .handling(let exchange) = state else { return }
        let isBodyRead = self.isBodyRead
        exchange.body?.finish(HTTPConnectionError.disconnected)
        if keepsAlive {
            state = .head
            scanned = 0
            if peerEnded, input.isEmpty, !isProcessing {
                endGently()
                return
            }
            expectWithin(server.configuration.idleTimeoutSeconds)
            if !isProcessing {
                resumeReading()
                processInput()
            }
        } else if isBodyRead {
            endGently()
        } else {
            linger()
        }
    }

    private func endGently() {
        state = .lingering(left: Self.lingerBytes)
        tcp.endWriting()
        if peerEnded { closeWhenWritten() } else { deadline = server.loop.nowMilliseconds + Self.lingerMilliseconds }
    }

    private func linger() {
        state = .lingering(left: Self.lingerBytes)
        input = []
        tcp.endWriting()
        tcp.startReading()
        deadline = server.loop.nowMilliseconds + Self.lingerMilliseconds
    }

    private func closeWhenWritten() {
        if tcp.queuedBytes == 0 { cut() } else { expectWithin(server.configuration.writeProgressTimeoutSeconds) }
    }

    /// Answers what cannot be served, and closes.
    private func refuse(_ error: HTTPParseError) {
        if case .handling(let exchange) = state {
            // The handler's own answer, if any, can no longer be told apart from this one.
            exchange.body?.finish(error)
            exchange.task?.cancel()
            if exchange.decoder != nil {
                state = .handling(exchange)
            }
        }
        let body = Array(
            #"{"type":"about:blank","title":"\#(error.message)","status":\#(error.status.code),"code":"\#(error.code)"}"#
                .utf8)
        var fields = HTTPFields()
        fields.add("content-type", "application/problem+json")
        server.output.removeAll(keepingCapacity: true)
        HTTPSerializer.responseHead(
            status: error.status, fields: fields, framing: .length(body.count), keepsAlive: false,
            date: server.currentDate(), into: &server.output)
        server.output.append(contentsOf: body)
        flush()
        linger()
    }

    // MARK: The end

    func receivedEnd() {
        peerEnded = true
        // What was received before the end comes first.
        if input.isEmpty || isWaitingForHead { endOfInput() }
    }

    private var isWaitingForHead: Bool { if case .head = state { true } else { false } }

    private func endOfInput() {
        switch state {
        case .head, .lingering: cut()
        case .handling(let exchange):
            // Half-closed: the client may still wait for its answer, but a body that is not complete never will be.
            if let decoder = exchange.decoder, !decoder.isComplete {
                exchange.body?.finish(HTTPConnectionError.disconnected)
                exchange.task?.cancel()
                cut()
            }
        case .closed: break
        }
    }

    func closed() {
        if case .handling(let exchange) = state {
            exchange.body?.finish(HTTPConnectionError.disconnected)
            exchange.task?.cancel()
        }
        state = .closed
        if let writer {
            self.writer = nil
            writer.resume(throwing: HTTPConnectionError.disconnected)
        }
        input = []
        server.removed(self)
    }
}

/// Why a body ended early.
package enum HTTPConnectionError: Error, Sendable {
    case disconnected
    case timedOut
    /// A handler's stream was not as long as it had said.
    case wrongLength
}
