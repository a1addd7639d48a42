import EventLoop
import HTTP
import Glibc
import HTTPCodec
import Synchronization
import Testing

/// Runs a server for the length of a test.
func withServer(
    loops: Int = 1, configure: (inout HTTPServer.Configuration) -> Void = { _ in }, handler: @escaping HTTPHandler,
    _ body: (_ port: Int, _ group: EventLoopGroup, _ server: HTTPServer) async throws -> Void
) async throws {
    let group = EventLoopGroup(count: loops)
    var configuration = HTTPServer.Configuration()
    configure(&configuration)
    let server = HTTPServer(configuration: configuration, group: group, handler: handler)
    try await server.start()
    do {
        try await body(server.port, group, server)
    } catch {
        await server.drain(timeoutSeconds: 1)
        group.shutdown()
        throw error
    }
    await server.drain(timeoutSeconds: 1)
    group.shutdown()
}

/// Blocking sockets work on a thread of their own.
func offLoop<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    let pool = WorkerPool(threads: 1)
    defer { pool.shutdown() }
    return try await pool.run(body)
}

private let hello: HTTPHandler = { _ in HTTPResponse(body: .bytes(Array("hello".utf8))) }

/// Answers with the body of the request.
private let echo: HTTPHandler = { request in
    HTTPResponse(body: .bytes(try await request.body.collect(upTo: 4 * 1024 * 1024)))
}

@Suite struct HTTPServerTests {
    @Test func answersOnAKeptConnection() async throws {
        try await withServer(handler: hello) { port, _, server in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                var all = ""
                for _ in 0..<1000 {
                    socket.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    all = socket.receive(until: "hello")
                }
                return all
            }
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\ndate: "))
            #expect(text.hasSuffix("content-length: 5\r\n\r\nhello"))
            #expect(server.connectionCount <= 1)
        }
    }

    @Test func answersPipelinedRequestsInOrder() async throws {
        let handler: HTTPHandler = { request in
            // The first is the slowest: order must not depend on it.
            if request.target == "/1" { try await Task.sleep(nanoseconds: 20_000_000) }
            return HTTPResponse(body: .bytes(Array("[\(request.target)]".utf8)))
        }
        try await withServer(handler: handler) { port, _, _ in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send((1...3).map { "GET /\($0) HTTP/1.1\r\nhost: x\r\n\r\n" }.joined())
                return socket.receive(until: "[/3]")
            }
            let order = text.split(separator: "\r\n").filter { $0.hasPrefix("[") }.map { $0.prefix { $0 != "H" } }
            #expect(order.joined() == "[/1][/2][/3]")
        }
    }

    @Test func readsARequestHoweverItIsSplit() async throws {
        let message = Array(
            "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".utf8)
        try await withServer(handler: echo) { port, _, _ in
            let answers = try await offLoop {
                try (1..<message.count).map { cut in
                    let socket = try RawSocket(port: port)
                    socket.send(Array(message[..<cut]))
                    usleep(300)
                    socket.send(Array(message[cut...]))
                    return socket.receive(until: "abcde")
                }
            }
            #expect(answers.allSatisfy { $0.hasPrefix("HTTP/1.1 200 OK") && $0.hasSuffix("abcde") })
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\rfoo: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\nhost: x\n\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\na\u{0}b: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\na: y\u{0}z\r\n\r\n", 400),
        ("GET /a/../b HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("GET /a/%2e%2e/b HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("GET /a%2fb HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("GET /a%zz HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", 400),
        ("CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        ("GET / HTTP/2.0\r\nhost: x\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n", 413),
        ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nhost: x\r\nbig: \(String(repeating: "a", count: 17000))\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nhost: x\r\n\(String(repeating: "a: b\r\n", count: 101))\r\n", 431),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
    ])
    func refusesWhatIsMalformedAndGoesOnServing(_ request: String, _ status: Int) async throws {
        try await withServer(handler: echo) { port, _, _ in
            let (refused, served) = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send(request)
                socket.endSending()
                let refused = socket.receive()
                let second = try RawSocket(port: port)
                second.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return (refused, second.receive())
            }
            #expect(refused.hasPrefix("HTTP/1.1 \(status) "))
            #expect(refused.contains("connection: close"))
            #expect(served.hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test func headAndEmptyStatusesHaveNoBody() async throws {
        let handler: HTTPHandler = { request in
            request.target == "/none"
                ? HTTPResponse(status: .noContent) : HTTPResponse(body: .bytes(Array("hello".utf8)))
        }
        try await withServer(handler: handler) { port, _, _ in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
                let head = socket.receive(until: "\r\n\r\n")
                socket.send("GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return head + socket.receive()
            }
            #expect(text.contains("content-length: 5\r\n\r\nHTTP/1.1 204 No Content"))
            #expect(!text.contains("hello"))
            #expect(text.hasSuffix("connection: close\r\n\r\n"))
        }
    }

    @Test func invitesABodyThatWaitsForIt() async throws {
        try await withServer(handler: echo) { port, _, _ in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
                let first = socket.receive(until: "\r\n\r\n")
                socket.send("abc")
                return first + socket.receive(until: "abc")
            }
            #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"))
        }
    }

    @Test func cutsASlowHeadWithAnAnswer() async throws {
        try await withServer(configure: { $0.headTimeoutSeconds = 1 }, handler: hello) { port, _, _ in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("GET / HT")
                return socket.receive()
            }
            #expect(text.hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func cutsAStalledBody() async throws {
        try await withServer(configure: { $0.bodyProgressTimeoutSeconds = 1 }, handler: echo) { port, _, server in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
                return socket.receive()
            }
            #expect(!text.contains("200 OK"))
            #expect(server.connectionCount == 0)
        }
    }

    @Test func refusesConnectionsBeyondTheLimitOfAnAddress() async throws {
        try await withServer(configure: { $0.maxConnectionsPerAddress = 2 }, handler: hello) { port, _, _ in
            let text = try await offLoop {
                let first = try RawSocket(port: port)
                let second = try RawSocket(port: port)
                for socket in [first, second] {
                    socket.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    _ = socket.receive(until: "hello")
                }
                let third = try RawSocket(port: port)
                return third.receive()
            }
            #expect(text.hasPrefix("HTTP/1.1 503 "))
            #expect(text.contains("retry-after: 1"))
        }
    }

    @Test func aSlowReaderPausesTheProducer() async throws {
        let produced = Atomic<Int>(0)
        let total = 2000
        let handler: HTTPHandler = { _ in
            let pieces = AsyncThrowingStream<[UInt8], any Error> {
                let number = produced.wrappingAdd(1, ordering: .relaxed).newValue
                return number <= total ? [UInt8](repeating: 1, count: 64 * 1024) : nil
            }
            return HTTPResponse(body: .stream(length: nil, pieces))
        }
        try await withServer(handler: handler) { port, _, _ in
            let (early, bytes) = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                usleep(300_000)
                let early = produced.load(ordering: .relaxed)
                return (early, socket.receive().utf8.count)
            }
            #expect(early < 400)
            #expect(bytes > total * 64 * 1024)
        }
    }

    @Test func aClientThatLeavesCancelsItsHandler() async throws {
        let isCancelled = Atomic<Bool>(false)
        let handler: HTTPHandler = { _ in
            do { try await Task.sleep(nanoseconds: 5_000_000_000) } catch {
                isCancelled.store(true, ordering: .relaxed)
            }
            return HTTPResponse()
        }
        try await withServer(handler: handler) { port, _, server in
            try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
                usleep(50_000)
                socket.endSending()
                _ = socket.receive()
            }
            for _ in 0..<100 where !isCancelled.load(ordering: .relaxed) {
                try await Task.sleep(nanoseconds: 10_000_000)
            }
            let wasCancelled = isCancelled.load(ordering: .relaxed)
            #expect(wasCancelled)
            #expect(server.connectionCount == 0)
        }
    }

    @Test func drainFinishesWhatIsUnderWay() async throws {
        let isHandling = Atomic<Bool>(false)
        let isDraining = Atomic<Bool>(false)
        let handler: HTTPHandler = { _ in
            isHandling.store(true, ordering: .relaxed)
            while !isDraining.load(ordering: .relaxed) { try await Task.sleep(nanoseconds: 1_000_000) }
            try await Task.sleep(nanoseconds: 100_000_000)
            return HTTPResponse(body: .bytes(Array("done".utf8)))
        }
        try await withServer(handler: handler) { port, _, server in
            async let answer = offLoop {
                let socket = try RawSocket(port: port)
                socket.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                return socket.receive()
            }
            while !isHandling.load(ordering: .relaxed) { try await Task.sleep(nanoseconds: 1_000_000) }
            isDraining.store(true, ordering: .relaxed)
            await server.drain(timeoutSeconds: 5)
            let text = try await answer
            #expect(text.hasSuffix("done"))
            #expect(text.contains("connection: close"))
            await #expect(throws: RawSocket.Refused.self) { try await offLoop { _ = try RawSocket(port: port) } }
        }
    }

    @Test func aThrownErrorIsABare500() async throws {
        struct Secret: Error { let password = "hunter2" }
        try await withServer(handler: { _ in throw Secret() }) { port, _, _ in
            let text = try await offLoop {
                let socket = try RawSocket(port: port)
                socket.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return socket.receive()
            }
            #expect(text.hasPrefix("HTTP/1.1 500 "))
            #expect(!text.contains("hunter2"))
        }
    }
}
