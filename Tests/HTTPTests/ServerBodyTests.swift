import EventLoop
import Glibc
import HTTP
import HTTPCodec
import Synchronization
import Testing

/// Bodies: whole, streamed, too large, abandoned, and slower than their source.
@Suite struct ServerBodyTests {
    @Test func bodyThatArrivesWholeIsBytes() async throws {
        let handler: HTTPHandler = { HTTPResponse(body: .bytes(Array("\($0.body.isStream)".utf8))) }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            let length = try await client.receiveMessage()
            #expect(length.body == "false")
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
            let chunked = try await client.receiveMessage()
            #expect(chunked.body == "false")
        }
    }

    @Test func largeBodyIsStreamedBothWays() async throws {
        let handler: HTTPHandler = { HTTPResponse(body: $0.body) }
        try await serving(
            {
                $0.maxBodyBytes = 64 * 1024 * 1024
                $0.bodyProgressTimeoutSeconds = 60
            }, handler: handler
        ) { server in
            // A prime period, so that a piece that is lost or doubled shows.
            let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 8) }
            let body = (0..<160).reduce(into: [UInt8]()) { body, _ in body += pattern }
            let size = body.count
            let client = try RawClient(port: server.port)
            async let sent: Void = {
                try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
                try await client.send(body)
            }()
            let head = try await client.receive(through: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200 OK"))
            #expect(head.contains("content-length: \(size)"))
            var received: [UInt8] = []
            while received.count < size, let bytes = try await client.receive() { received += bytes }
            try await sent
            // Not within #expect: it would compute the difference of megabytes.
            let isSame = received == body
            #expect(received.count == size)
            #expect(isSame)
        }
    }

    @Test func producerWaitsForASlowReader() async throws {
        let pieces = Pieces(count: 2_000, size: 64 * 1024)
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }) { server in
            let client = try RawClient(port: server.port, receiveBuffer: 64 * 1024)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            // The kernel's buffers fill, then ours; then nothing more is made.
            var last = -1
            while last != pieces.made.value || last < 1 {
                last = pieces.made.value
                try await Task.sleep(nanoseconds: 200_000_000)
            }
            #expect(last < 200, "128 MB would be 2,000 pieces")
            var count = 0
            while let bytes = try await client.receive() { count += bytes.count }
            #expect(pieces.made.value == 2_000)
            #expect(count > 2_000 * 64 * 1024)
        }
    }

    @Test func senderWaitsForASlowConsumer() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            try await gate.pass()
            return HTTPResponse(body: .bytes(Array("\(try await request.body.collect(upTo: 100 << 20).count)".utf8)))
        }
        try await serving({ $0.maxBodyBytes = 100 << 20 }, handler: handler) { server in
            let client = try RawClient(port: server.port)
            let size = 64 << 20
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            let stuckAt = try await client.sendUntilStuck(atMost: size)
            #expect(stuckAt < 16 << 20, "the rest must stay with the sender")
            gate.open()
            try await client.send([UInt8](repeating: 0x61, count: size - stuckAt))
            let response = try await client.receiveMessage()
            #expect(response.body == "\(size)")
        }
    }

    @Test func streamedResponseIsChunked() async throws {
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, Pieces(count: 3, size: 2))) }) {
            server in
            let client = try RawClient(port: server.port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                let all = try await client.receive(through: "0\r\n\r\n")
                #expect(all.contains("transfer-encoding: chunked\r\n"))
                #expect(
                    all.hasSuffix("\r\n\r\n2\r\n\u{1}\u{1}\r\n2\r\n\u{2}\u{2}\r\n2\r\n\u{3}\u{3}\r\n0\r\n\r\n"))
            }
            try await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = try await client.receive(through: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200"))
            let next = try await client.receive(through: "\r\n")
            #expect(next.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test(arguments: [5, 7])
    func streamOfTheWrongLengthClosesTheConnection(_ length: Int) async throws {
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: length, Pieces(count: 3, size: 2))) }) {
            server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let all = try await client.receiveToEnd()
            let received = all.utf8.count - (all.components(before: "\r\n\r\n") ?? all.utf8.count)
            // Less than was promised, and then the end: the client can tell.
            #expect(received < length)
        }
    }

    @Test func sourceThatFailsInTheMiddleClosesTheConnection() async throws {
        var pieces = Pieces(count: 10, size: 1000)
        pieces.failsAfter = 2
        let source = pieces
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, source)) }) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(!all.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test func chunkedBodyOverTheLimitIs413() async throws {
        try await serving({ $0.maxBodyBytes = 10_000 }, handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<20 {
                try await client.send("400\r\n" + String(repeating: "a", count: 1024) + "\r\n")
                try await Task.sleep(nanoseconds: 1_000_000)
            }
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 413 "))
            #expect(all.contains("connection: close\r\n"))
        }
    }

    @Test func bodyOverTheHandlersLimitIs413() async throws {
        let handler: HTTPHandler = { HTTPResponse(body: .bytes(try await $0.body.collect(upTo: 2))) }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            let response = try await client.receiveMessage()
            #expect(response.status == 413)
        }
    }

    @Test func malformedChunkInAStreamIs400() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            try await Task.sleep(nanoseconds: 20_000_000)
            try await client.send("zz\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 400 "))
            #expect(!all.contains("smuggled"))
        }
    }

    @Test func continueIsSentWhenTheHandlerReads() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            let invitation = try await client.receive(through: "\r\n\r\n")
            #expect(invitation == "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.send("abc")
            let response = try await client.receiveMessage()
            #expect(response.body == "POST / abc")
        }
    }

    @Test func refusalComesInsteadOfContinue() async throws {
        try await serving(handler: { _ in HTTPResponse(status: .unauthorized) }) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 401 "))
            #expect(all.contains("connection: close\r\n"))
        }
    }

    @Test func smallRestOfARefusedBodyIsDiscarded() async throws {
        let handler: HTTPHandler = { request in
            request.method == .post ? HTTPResponse(status: .forbidden) : try await echo(request)
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            let refusal = try await client.receiveMessage()
            #expect(refusal.status == 403)
            #expect(refusal.value("connection") == nil)
            try await client.send([UInt8](repeating: 0x61, count: 100_000))
            try await client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            let next = try await client.receiveMessage()
            #expect(next.body == "GET /next ")
        }
    }

    @Test func largeRestOfARefusedBodyEndsTheConnectionAfterTheAnswer() async throws {
        try await serving({ $0.maxBodyBytes = 64 << 20 }, handler: { _ in HTTPResponse(status: .forbidden) }) {
            server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(32 << 20)\r\n\r\n")
            // Still sending when the answer comes: it must be readable all the same.
            try await client.send([UInt8](repeating: 0x61, count: 512 * 1024))
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 403 "))
            #expect(all.contains("connection: close\r\n"))
        }
    }
}

extension String {
    /// UTF-8 bytes up to and with `mark`.
    fileprivate func components(before mark: String) -> Int? {
        let bytes = Array(utf8)
        let wanted = Array(mark.utf8)
        return bytes.indices.first { bytes[$0...].starts(with: wanted) }.map { $0 + wanted.count }
    }
}
