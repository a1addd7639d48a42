internal import EventLoop
internal import HTTPCodec

/// Bytes in, requests out.
extension HTTPServerConnection {
    /// Uses as many bytes as it can, and starts handlers on the way.
    /// - Returns: how many were used; the caller keeps the rest for later.
    func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        isProcessing = true
        loop: while offset < bytes.count, !tcp.isClosed {
            switch phase {
            case .reading:
                guard !tcp.isCongested, readHead(bytes, &offset) else { break loop }
            case .responding, .discarding:
                guard incoming != nil else { break loop }
                feedBody(bytes, &offset)
            case .lingering:
                lingeredBytes += bytes.count - offset
                offset = bytes.count
                if lingeredBytes > Self.maxLingeredBytes { tcp.close() }
            case .closed:
                offset = bytes.count
            }
            if output.count > Self.maxOutputBytes { flush() }
        }
        isProcessing = false
        // What a handler that runs at once answers to the next request may leave together with this.
        if job == nil { flush() } else { flushSoon() }
        return tcp.isClosed ? bytes.count : offset
    }

    /// - Returns: whether to go on: false when the head is not complete.
    private func readHead(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> Bool {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        do {
            var position = scanned
            let parsed = try HTTPHeadParser.request(rest, scanned: &position, limits: shard.limits)
            scanned = position
            guard let head = parsed else {
                if deadlineIsIdle {
                    deadlineIsIdle = false
                    setDeadline(seconds: shard.configuration.headTimeoutSeconds)
                }
                return false
            }
            offset += head.byteCount
            scanned = 0
            begin(head, bytes, &offset)
        } catch {
            shard.gate.requestRefused()
            offset = bytes.count
            refuse(HTTPResponse(parsing: error))
        }
        return true
    }

    private func begin(_ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int) {
        method = head.method
        minorVersion = head.minorVersion
        keepsAlive = head.keepsAlive && !shard.isDraining
        hasResponded = false
        deadline = .max
        deadlineIsIdle = false
        phase = .responding
        let body: HTTPBody
        switch head.framing {
        case .none, .untilClose: body = .empty
        case .length(let count) where count <= bytes.count - offset:
            body = .bytes(Array(bytes[offset..<offset + count]))
            offset += count
        case .length, .chunked:
            do {
                body = try beginBody(head, bytes, &offset)
            } catch {
                shard.gate.requestRefused()
                offset = bytes.count
                return refuse(HTTPResponse(parsing: error))
            }
        }
        var request = HTTPRequest(
            method: head.method, target: head.target, headers: head.fields, body: body, peerAddress: peerAddress)
        request.minorVersion = head.minorVersion
        switch shard.responder {
        case .handler(let handler): handOver(.handle(request, handler))
        case .dispatcher(let dispatch): take(dispatch(request))
        }
    }

    /// A body that is not in the buffer as a whole, or in chunks.
    private func beginBody(
        _ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(HTTPParseError) -> HTTPBody {
        var decoder = HTTPBodyDecoder(framing: head.framing, limits: shard.limits)
        var whole: [UInt8] = []
        while true {
            switch try decoder.next(bytes, offset: &offset) {
            case .data(let range):
                whole.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
                continue
            case .end: return whole.isEmpty ? .empty : .bytes(whole)
            case .needMore: break
            }
            break
        }
        var length: Int?
        if case .length(let count) = head.framing { length = count }
        let channel = HTTPBodyChannel(loop: shard.loop, source: self)
        whole.withUnsafeBytes { channel.push($0) }
        incoming = HTTPIncomingBody(
            decoder: decoder, channel: channel, awaitsContinue: head.expectsContinue && whole.isEmpty,
            remainingBytes: length.map { $0 - whole.count })
        beginBodyPeriod()
        return .stream(length: length, HTTPBodyStream(channel, loop: shard.loop))
    }

    private func feedBody(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) {
        guard var body = incoming else { return }
        incoming = nil
        let start = offset
        do {
            decoding: while true {
                switch try body.decoder.next(bytes, offset: &offset) {
                case .data(let range):
                    body.channel?.push(UnsafeRawBufferPointer(rebasing: bytes[range]))
                    body.remainingBytes = body.remainingBytes.map { $0 - range.count }
                case .needMore: break decoding
                case .end:
                    bodyEnded(body)
                    return
                }
            }
        } catch {
            shard.gate.requestRefused()
            offset = bytes.count
            bodyIsMalformed(body, error)
            return
        }
        body.awaitsContinue = false
        bodyBytesInPeriod += offset - start
        if phase == .discarding {
            body.discardedBytes += offset - start
            if body.discardedBytes > Self.maxDiscardedBytes {
                incoming = body
                return linger()
            }
        }
        incoming = body
    }

    private func bodyEnded(_ body: HTTPIncomingBody) {
        deadline = .max
        body.channel?.finish()
        if phase == .discarding { nextRequest() }
    }

    /// The handler hears of it; what it answers, or 400 by default, is the last response.
    private func bodyIsMalformed(_ body: HTTPIncomingBody, _ error: HTTPParseError) {
        deadline = .max
        keepsAlive = false
        if phase == .discarding { return linger() }
        hasBrokenBody = true
        body.channel?.fail(error)
    }

    func sendContinueIfAwaited() {
        guard let body = incoming, body.awaitsContinue, !hasResponded, !tcp.isClosed else { return }
        incoming?.awaitsContinue = false
        output.append(contentsOf: "HTTP/1.1 100 Continue\r\n\r\n".utf8)
        flush()
    }
}
