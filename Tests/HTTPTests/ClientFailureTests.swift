import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import TelemetryTesting
import Testing

/// The client against peers that misbehave.
@Suite struct ClientFailureTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// Sends one request to a peer that answers with this and closes.
    private func answer(
        _ text: String, method: HTTPMethod = .get, _ configure: (inout HTTPClient.Configuration) -> Void = { _ in },
        _ check: (Result<String, any Error>) throws -> Void
    ) async throws {
        let peer = RawListener()
        try await calling(configure) { client in
            async let served: Void = {
                let connection = try await peer.accept()
                _ = try await connection.receiveMessage()
                try await connection.send(text)
                connection.shutdownWriting()
                _ = try? await connection.receive()
            }()
            let result: Result<String, any Error>
            do {
                let response = try await client.send(HTTPRequest(method: method, target: "/"), to: peer.url)
                result = .success(try await response.text())
            } catch {
                result = .failure(error)
            }
            try check(result)
            try await served
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "hello"),
        ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
            "hello"
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ])
    func everyFramingIsUnderstood(_ text: String, _ body: String) async throws {
        try await answer(text) { result in
            let text = try result.get()
            #expect(text == body)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nContent-Le", "",
    ])
    func cutResponseIsDisconnected(_ text: String) async throws {
        try await answer(text) { result in
            #expect(throws: HTTPClientError.disconnected) { try result.get() }
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nA: \(String(repeating: "b", count: 40_000))\r\n\r\n",
    ])
    func malformedResponseIsRefused(_ text: String) async throws {
        try await answer(text) { result in
            #expect {
                try result.get()
            } throws: { error in
                if case HTTPClientError.malformedResponse = error { true } else { false }
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello world",
    ])
    func responseOverTheLimitIsRefused(_ text: String) async throws {
        try await answer(text, { $0.maxResponseBytes = 10 }) { result in
            #expect(throws: HTTPClientError.responseTooLarge) { try result.get() }
        }
    }

    @Test func answerToHeadHasNoBody() async throws {
        try await answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method: .head) { result in
            let text = try result.get()
            #expect(text.isEmpty)
        }
    }

    @Test func refusedConnectionSaysSo() async throws {
        let port = RawListener().port
        try await calling { client in
            await #expect {
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: "http://127.0.0.1:\(port)")
            } throws: { error in
                if case HTTPClientError.connectFailed(let why) = error { why.contains(":\(port)") } else { false }
            }
        }
    }

    @Test func unknownHostSaysSo() async throws {
        try await calling { client in
            await #expect {
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: "http://no-such-host.invalid:1")
            } throws: { error in
                if case HTTPClientError.connectFailed(let why) = error {
                    why.contains("no-such-host.invalid")
                } else {
                    false
                }
            }
        }
    }

    @Test func silentPeerTimesOut() async throws {
        let peer = RawListener()
        try await calling { client in
            async let accepted = peer.accept()
            await #expect(throws: HTTPClientError.timedOut) {
                _ = try await client.send(
                    HTTPRequest(method: .get, target: "/"), to: peer.url, timeoutMilliseconds: 100)
            }
            // The connection is not used again: the answer may still come.
            let connection = try await accepted
            _ = try await connection.receiveMessage()
            #expect(try await connection.receive() == nil)
        }
    }

    @Test func bodyThatStallsTimesOut() async throws {
        let peer = RawListener()
        try await calling({ $0.requestTimeoutMilliseconds = 1_000 }) { client in
            async let connection: RawClient = {
                let connection = try await peer.accept()
                _ = try await connection.receiveMessage()
                try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                return connection
            }()
            let response = try await client.send(HTTPRequest(method: .get, target: "/"), to: peer.url)
            await #expect(throws: HTTPClientError.timedOut) { _ = try await response.text() }
            _ = try await connection
        }
    }

    /// A peer that serves one request on each connection, then closes it in the moment that the next one arrives.
    private func staleOnce(_ request: HTTPRequest) async throws -> (Result<String, any Error>, accepted: Int) {
        let peer = RawListener()
        let accepted = Atomic<Int>(0)
        let server = Task {
            while true {
                let connection = try await peer.accept()
                accepted.wrappingAdd(1, ordering: .relaxed)
                _ = try await connection.receiveMessage()
                try await connection.send(Self.ok)
                // The second request arrives, and dies with the connection.
                _ = try await connection.receive()
                connection.resetOnClose()
            }
        }
        defer { server.cancel() }
        let client = HTTPClient(group: loops, telemetry: nil)
        let url = peer.url
        let result: Result<String, any Error> = try await loops.loops[1].run {
            _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: url)
            do { return .success(try await client.send(request, to: url).text()) } catch { return .failure(error) }
        }
        await client.shutdown()
        return (result, accepted.load(ordering: .relaxed))
    }

    @Test func idempotentRequestIsSentAgainOnAFreshConnection() async throws {
        let (result, accepted) = try await staleOnce(HTTPRequest(method: .get, target: "/"))
        #expect(try result.get() == "ok")
        #expect(accepted == 2)
    }

    @Test func requestThatIsNotIdempotentIsNotSentAgain() async throws {
        let (result, accepted) = try await staleOnce(
            HTTPRequest(method: .post, target: "/", body: .bytes(Array("pay".utf8))))
        #expect(throws: HTTPClientError.disconnected) { try result.get() }
        #expect(accepted == 1)
    }

    @Test func idempotencyKeyAllowsSendingAgain() async throws {
        var fields = HTTPFields()
        fields.add("idempotency-key", "k1")
        let (result, accepted) = try await staleOnce(
            HTTPRequest(method: .post, target: "/", headers: fields, body: .bytes(Array("pay".utf8))))
        #expect(try result.get() == "ok")
        #expect(accepted == 2)
    }

    @Test func streamedBodyIsNotSentAgain() async throws {
        let (result, accepted) = try await staleOnce(
            HTTPRequest(method: .put, target: "/", body: .stream(length: nil, Pieces(count: 2, size: 2))))
        #expect(throws: HTTPClientError.disconnected) { try result.get() }
        #expect(accepted == 1)
    }

    @Test func connectionThatThePeerClosedIsNotUsedAgain() async throws {
        try await serving({ $0.idleTimeoutSeconds = 1 }, handler: echo) { server in
            try await calling { client in
                for _ in 0..<2 {
                    // Not idempotent: a dead connection would fail it.
                    let request = HTTPRequest(method: .post, target: "/", body: .bytes([1]))
                    let status = try await client.send(request, to: server.url).status
                    #expect(status == .ok)
                    let isGone = await eventually { server.connectionCount == 0 }
                    #expect(isGone)
                }
            }
        }
    }

    @Test func peerThatSpeaksUnaskedLosesItsConnection() async throws {
        let peer = RawListener()
        try await calling { client in
            let server = Task {
                for _ in 0..<2 {
                    let connection = try await peer.accept()
                    _ = try await connection.receiveMessage()
                    // Two answers to one request: the second must not answer the next one.
                    try await connection.send(Self.ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                    _ = try await connection.receive()
                }
            }
            for _ in 0..<2 {
                let response = try await client.send(HTTPRequest(method: .get, target: "/"), to: peer.url)
                #expect(try await response.text() == "ok")
            }
            try await server.value
        }
    }

    @Test func earlyAnswerToAnUploadArrives() async throws {
        let handler: HTTPHandler = { _ in HTTPResponse(status: .forbidden) }
        try await serving({ $0.maxBodyBytes = 64 << 20 }, handler: handler) { server in
            try await calling { client in
                let pieces = Pieces(count: 4, size: 64 * 1024)
                let response = try await client.send(
                    HTTPRequest(method: .post, target: "/", body: .stream(length: nil, pieces)), to: server.url)
                #expect(response.status == .forbidden)
            }
        }
    }

    @Test(arguments: [nil, 5, 7])
    func uploadThatBreaksFailsTheRequest(_ length: Int?) async throws {
        try await serving(handler: echo) { server in
            try await calling { client in
                var pieces = Pieces(count: 3, size: 2)
                if length == nil { pieces.failsAfter = 1 }
                let request = HTTPRequest(method: .put, target: "/", body: .stream(length: length, pieces))
                await #expect {
                    _ = try await client.send(request, to: server.url)
                } throws: { error in
                    if length == nil { return error is Pieces.Broken }
                    if case HTTPClientError.invalidRequest = error { return true }
                    return false
                }
                // The server must not have taken half of it for the whole.
                let next = HTTPRequest(method: .get, target: "/")
                let text = try await client.send(next, to: server.url).text()
                #expect(text == "GET / ")
            }
        }
    }

    @Test(arguments: ["G ET", "GET\r\nX: y", ""])
    func methodThatIsNoTokenIsNotSent(_ method: String) async throws {
        try await serving(handler: echo) { server in
            try await calling { client in
                await #expect {
                    _ = try await client.send(HTTPRequest(method: HTTPMethod(method), target: "/"), to: server.url)
                } throws: { error in
                    if case HTTPClientError.invalidRequest = error { true } else { false }
                }
                let next = HTTPRequest(method: .get, target: "/")
                let text = try await client.send(next, to: server.url).text()
                #expect(text == "GET / ")
            }
        }
    }
}
