import EventLoop
import HTTP
import HTTPCodec
import Testing

/// Requests and responses over real sockets.
@Suite struct ServerTests {
    @Test func aThousandRequestsOnOneConnection() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            for number in 0..<1000 {
                try await client.send("GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
                let response = try await client.receiveMessage()
                #expect(response.status == 200)
                #expect(response.body == "GET /\(number) ")
                #expect(response.value("connection") == nil)
                #expect(response.value("date")?.hasSuffix(" gmt") == true)
            }
            #expect(server.connectionCount == 1)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let handler: HTTPHandler = { request in
            // The first ones take longest.
            if request.target == "/0" { try await EventLoop.current?.sleep(milliseconds: 30) }
            if request.target == "/1" { await Task.yield() }
            return try await echo(request)
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            let requests = (0..<1000).map { "POST /\($0) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" }
            async let sent = client.send(requests.joined())
            for number in 0..<1000 {
                let response = try await client.receiveMessage()
                #expect(response.body == "POST /\(number) abc")
            }
            _ = try await sent
        }
    }

    @Test func oneTaskHandlesTheRequestsOfAConnectionAndEndsWhenItIdles() async throws {
        let handler: HTTPHandler = { _ in
            let task = withUnsafeCurrentTask { $0?.hashValue ?? 0 }
            return HTTPResponse(body: .bytes(Array("\(task)".utf8)))
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            var tasks: [String] = []
            for _ in 0..<3 {
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                tasks.append(try await client.receiveMessage().body)
            }
            #expect(Set(tasks).count == 1)
            // Longer than a task waits: the next request gets another.
            try await Task.sleep(nanoseconds: 2_600_000_000)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.status == 200)
            #expect(server.connectionCount == 1)
        }
    }

    @Test func requestSplitAtEveryByteIsReadTheSame() async throws {
        let message = Array(
            "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nX: y\r\n\r\n"
                .utf8)
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            for cut in 1..<message.count {
                try await client.send(Array(message[..<cut]))
                // So that the parts arrive apart.
                try await Task.sleep(nanoseconds: 300_000)
                try await client.send(Array(message[cut...]))
                let response = try await client.receiveMessage()
                #expect(response.body == "POST /x abcde", "cut at \(cut)")
            }
            for byte in message {
                try await client.send([byte])
                try await Task.sleep(nanoseconds: 200_000)
            }
            let response = try await client.receiveMessage()
            #expect(response.body == "POST /x abcde")
        }
    }

    @Test func answerToHeadHasTheLengthButNoBody() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = try await client.receive(through: "\r\n\r\n")
            #expect(head.contains("content-length: 10\r\n"))
            try await client.send("GET /abc HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.status == 200)
            #expect(response.body == "GET /abc ")
        }
    }

    @Test(arguments: [204, 304])
    func statusWithoutABodySendsNone(_ status: Int) async throws {
        let handler: HTTPHandler = { request in
            request.target == "/none"
                ? HTTPResponse(status: HTTPStatus(status), body: .bytes(Array("never".utf8))) : try await echo(request)
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET /none HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let none = try await client.receive(through: "\r\n\r\n")
            #expect(none.hasPrefix("HTTP/1.1 \(status)"))
            #expect(!none.contains("transfer-encoding"))
            let next = try await client.receiveMessage()
            #expect(next.body == "GET / ")
        }
    }

    @Test func closeIsHonoured() async throws {
        try await serving(handler: hello) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(all.contains("connection: close\r\n"))
            #expect(all.hasSuffix("hello"))
        }
    }

    @Test func http10ClosesUnlessAskedNotTo() async throws {
        try await serving(handler: hello) { server in
            let closing = try RawClient(port: server.port)
            try await closing.send("GET / HTTP/1.0\r\n\r\n")
            let all = try await closing.receiveToEnd()
            #expect(all.hasSuffix("hello"))

            let keeping = try RawClient(port: server.port)
            for _ in 0..<2 {
                try await keeping.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let response = try await keeping.receiveMessage()
                #expect(response.value("connection") == "keep-alive")
                #expect(response.body == "hello")
            }
        }
    }

    @Test func http10GetsAStreamWithoutChunks() async throws {
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, Pieces(count: 3, size: 2))) }) {
            server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(!all.contains("transfer-encoding"))
            #expect(all.hasSuffix("\r\n\r\n\u{1}\u{1}\u{2}\u{2}\u{3}\u{3}"))
        }
    }

    @Test func absoluteTargetIsReducedAndItsHostWins() async throws {
        let handler: HTTPHandler = { request in
            HTTPResponse(body: .bytes(Array("\(request.target) \(request.headers["host"] ?? "")".utf8)))
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET http://a.example/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.body == "/p?q a.example")
        }
    }

    @Test func thrownErrorIsA500ThatTellsNothing() async throws {
        struct Secret: Error { let password = "hunter2" }
        try await serving(handler: { _ in throw Secret() }) { server in
            let client = try RawClient(port: server.port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                let response = try await client.receiveMessage()
                #expect(response.status == 500)
                #expect(response.value("content-type") == "application/problem+json")
                #expect(!response.body.contains("hunter2"))
                #expect(!response.body.contains("Secret"))
            }
        }
    }

    @Test func handlerCannotBreakTheFraming() async throws {
        let handler: HTTPHandler = { _ in
            var fields = HTTPFields()
            fields.add("content-length", "999")
            fields.add("transfer-encoding", "chunked")
            fields.add("x-evil", "a\r\nset-cookie: b")
            return HTTPResponse(status: HTTPStatus(101), headers: fields, body: .bytes(Array("hello".utf8)))
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.status == 500)
            #expect(response.value("set-cookie") == nil)
            #expect(response.value("transfer-encoding") == nil)
        }
    }

    @Test func peerAddressHasNoPort() async throws {
        try await serving(handler: { HTTPResponse(body: .bytes(Array($0.peerAddress.utf8))) }) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.body == "127.0.0.1")
        }
    }

    @Test func handlersRunOnALoopOfTheGroup() async throws {
        let handler: HTTPHandler = { _ in
            let before = EventLoop.current?.index ?? -1
            await Task.yield()
            let after = EventLoop.current?.index ?? -2
            return HTTPResponse(body: .bytes(Array("\(before == after)".utf8)))
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try await client.receiveMessage()
            #expect(response.body == "true")
        }
    }

    @Test func portInUseIsRefusedByName() async throws {
        try await serving(handler: hello) { server in
            var configuration = HTTPServer.Configuration()
            configuration.port = server.port
            let second = HTTPServer(configuration: configuration, group: loops, handler: hello)
            await #expect {
                try await second.start()
            } throws: { error in
                "\(error)".contains("127.0.0.1:\(server.port)") && "\(error)".contains("in use")
            }
        }
    }

    @Test func hostThatIsNoAddressIsRefused() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.host = "not an address"
        let server = HTTPServer(configuration: configuration, group: loops, handler: hello)
        await #expect(throws: HTTPServerError.self) { try await server.start() }
    }
}
