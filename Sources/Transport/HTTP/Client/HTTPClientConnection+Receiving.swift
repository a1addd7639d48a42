internal import EventLoop
internal import HTTPCodec

/// Bytes in, responses out.
extension HTTPClientConnection {
    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer) {
        // Nobody asked: such a peer cannot be trusted with the next request.
        guard let exchange else { return close() }
        exchange.hasResponse = true
        if input.isEmpty {
            let used = process(exchange, bytes)
            if used < bytes.count { input.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[used...])) }
        } else {
            var buffer: [UInt8] = []
            swap(&buffer, &input)
            buffer.append(contentsOf: bytes)
            let used = buffer.withUnsafeBytes { process(exchange, $0) }
            buffer.removeSubrange(..<used)
            input = buffer
        }
    }

    /// - Returns: how many bytes were used; the rest is the begin of a head.
    private func process(_ exchange: HTTPClientExchange, _ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        do {
            while self.exchange === exchange {
                if exchange.decoder != nil {
                    try feedBody(exchange, bytes, &offset)
                    break
                }
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                let head = try HTTPHeadParser.response(
                    rest, scanned: &scanned, limits: shard.limits, requestMethod: exchange.method)
                guard let head else { return offset }
                offset += head.byteCount
                scanned = 0
                // 100 and 103 come before the answer; 101 would end HTTP, and nobody asked for it.
                if head.status.code == 101 { throw HTTPClientError.malformedResponse("101 without an upgrade") }
                if head.status.code >= 200 { try begin(exchange, head, bytes, &offset) }
            }
        } catch let error as HTTPParseError {
            let isTooLarge = error.status == .contentTooLarge
            fail(exchange, isTooLarge ? HTTPClientError.responseTooLarge : .malformedResponse(error.message))
        } catch {
            fail(exchange, error)
        }
        return bytes.count
    }

    private func begin(
        _ exchange: HTTPClientExchange, _ head: HTTPResponseHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws {
        exchange.keepsAlive = head.keepsAlive
        exchange.observation?.responded(head.status, minorVersion: head.minorVersion)
        var response = HTTPResponse(status: head.status, headers: head.fields)
        var length: Int?
        if case .length(let count) = head.framing {
            guard count <= shard.limits.maxBodyBytes else { throw HTTPClientError.responseTooLarge }
            length = count
        }
        var decoder = HTTPBodyDecoder(framing: head.framing, limits: shard.limits)
        var start: [UInt8] = []
        while true {
            switch try decoder.next(bytes, offset: &offset) {
            case .data(let range):
                start.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
                continue
            case .end:
                response.body = start.isEmpty ? .empty : .bytes(start)
                let receiver = exchange.takeReceiver()
                // First the connection, so that the caller's next request finds it in the pool.
                complete(exchange, isClean: offset == bytes.count)
                receiver?.resume(.success(response))
                return
            case .needMore: break
            }
            break
        }
        let channel = HTTPBodyChannel(loop: tcp.loop, source: self)
        start.withUnsafeBytes { channel.push($0) }
        exchange.decoder = decoder
        exchange.channel = channel
        response.body = .stream(length: length, HTTPBodyStream(channel, loop: tcp.loop))
        bodyProgressed(channel)
        exchange.takeReceiver()?.resume(.success(response))
    }

    private func feedBody(
        _ exchange: HTTPClientExchange, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws {
        guard let channel = exchange.channel else { return }
        while true {
            switch try exchange.decoder?.next(bytes, offset: &offset) {
            case .data(let range): channel.push(UnsafeRawBufferPointer(rebasing: bytes[range]))
            case .end: return complete(exchange, isClean: offset == bytes.count)
            case .needMore, nil: return bodyProgressed(channel)
            }
        }
    }

    /// While the reader is behind, the peer is not to blame for silence.
    private func bodyProgressed(_ channel: HTTPBodyChannel) {
        if channel.wantsMore {
            tcp.startReading()
            alarm.set(afterMilliseconds: UInt64(max(0, shard.configuration.requestTimeoutMilliseconds)))
        } else {
            tcp.stopReading()
            alarm.clear()
        }
    }

    func bodyIsWanted() {
        guard let channel = exchange?.channel else { return }
        bodyProgressed(channel)
    }

    func bodyIsAbandoned() {
        guard let exchange, exchange.channel != nil else { return }
        exchange.keepsAlive = false
        complete(exchange, isClean: false)
    }

    func connectionReachedEnd(_ connection: TCPConnection) {
        guard let exchange else { return close() }
        if exchange.decoder?.endsWithConnection == true {
            complete(exchange, isClean: false)
        } else {
            fail(exchange, disconnection(exchange))
        }
    }
}
