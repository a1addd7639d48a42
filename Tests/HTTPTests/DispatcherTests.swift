import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import Testing

/// A server that decides about each request at once: answers from a callback, from a task, or right away.
@Suite struct DispatcherTests {
    private func serving(
        _ dispatcher: @escaping HTTPDispatcher, _ body: (HTTPServer) async throws -> Void
    ) async throws {
        let server = HTTPServer(configuration: .init(), group: loops, dispatcher: dispatcher)
        try await server.start()
        do {
            try await body(server)
        } catch {
            await server.drain(timeoutSeconds: 0)
            throw error
        }
        await server.drain(timeoutSeconds: 0)
    }

    private static func response(_ text: String) -> HTTPResponse { HTTPResponse(body: .bytes(Array(text.utf8))) }

    /// Each kind in turn, by the number in the target.
    @Sendable private static func mixed(_ request: HTTPRequest) -> HTTPDisposition {
        let text = "answer to \(request.target)"
        switch (Int(request.target.dropFirst()) ?? 0) % 6 {
        case 0: return .answered(response(text))
        case 1:
            return .waiting {
                await Task.yield()
                return response(text)
            }
        case 2:
            let promise = HTTPPromise()
            promise.resolve(.success(response(text)))
            return .promised(promise)
        case 3:
            let promise = HTTPPromise()
            EventLoop.current?.execute { promise.resolve(.success(response(text))) }
            return .promised(promise)
        case 4:
            let promise = HTTPPromise()
            promise.resolve(in: .current) {
                await Task.yield()
                return response(text)
            }
            return .promised(promise)
        default: return .answered(HTTPResponse(body: .stream(length: 6, Pieces(count: 3, size: 2))))
        }
    }

    @Test func pipelinedRequestsOfAllKindsAreAnsweredInOrder() async throws {
        try await serving(Self.mixed) { server in
            let client = try RawClient(port: server.port)
            let requests = (0..<600).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }
            async let sent = client.send(requests.joined())
            for number in 0..<600 {
                let response = try await client.receiveMessage()
                #expect(response.status == 200)
                if number % 6 == 5 {
                    #expect(Array(response.body.utf8) == [1, 1, 2, 2, 3, 3])
                } else {
                    #expect(response.body == "answer to /\(number)")
                }
            }
            _ = try await sent
        }
    }

    @Test func brokenPromiseIs500() async throws {
        struct Broken: Error {}
        let dispatcher: HTTPDispatcher = { _ in
            let promise = HTTPPromise()
            EventLoop.current?.execute { promise.resolve(.failure(Broken())) }
            return .promised(promise)
        }
        try await serving(dispatcher) { server in
            let client = try RawClient(port: server.port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.receiveMessage().status == 500)
            }
        }
    }

    @Test func whoPromisedHearsThatTheClientLeft() async throws {
        let promised = Gate()
        let cancelled = Gate()
        let dispatcher: HTTPDispatcher = { request in
            if request.target != "/slow" { return .answered(Self.response("here")) }
            let promise = HTTPPromise()
            promise.onCancel = {
                cancelled.open()
                promise.resolve(.failure(CancellationError()))
            }
            promised.open()
            return .promised(promise)
        }
        try await serving(dispatcher) { server in
            var client: RawClient? = try RawClient(port: server.port)
            try await client?.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            try await until { promised.isOpen }
            // Closes its socket.
            client = nil
            try await until { cancelled.isOpen }
            let other = try RawClient(port: server.port)
            try await other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await other.receiveMessage().body == "here")
        }
    }

    @Test func workThatIsPromisedIsCancelledWithItsClient() async throws {
        let gate = Gate()
        let cancelled = Gate()
        let dispatcher: HTTPDispatcher = { _ in
            let promise = HTTPPromise()
            promise.resolve(in: .current) {
                do {
                    try await gate.pass()
                } catch {
                    cancelled.open()
                    throw error
                }
                return Self.response("late")
            }
            return .promised(promise)
        }
        try await serving(dispatcher) { server in
            var client: RawClient? = try RawClient(port: server.port)
            try await client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try await until { gate.arrivals == 1 }
            client = nil
            try await until { cancelled.isOpen }
        }
    }

    @Test func clientAnswersACallbackAndTellsItOfCancellation() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            if request.target == "/slow" { try await gate.pass() }
            return Self.response(request.target)
        }
        try await HTTPTests.serving(handler: handler) { server in
            try await calling { client in
                let loop = loops.loops[0]
                let url = server.url
                let results = Results()
                let note: @Sendable (Result<HTTPResponse, any Error>) -> Void = { result in
                    switch result {
                    case .success(let response): results.add("\(response.status.code)")
                    case .failure(let error):
                        results.add(error is CancellationError ? "cancelled" : "\(error)")
                    }
                }
                try await loop.run {
                    // Nothing idles yet: it cannot go at once.
                    #expect(client.start(HTTPRequest(method: .get, target: "/a"), to: url, completion: note) == nil)
                    _ = try await client.send(HTTPRequest(method: .get, target: "/a"), to: url)
                    #expect(client.start(HTTPRequest(method: .get, target: "/b"), to: url, completion: note) != nil)
                }
                try await until { results.all == ["200"] }
                try await loop.run {
                    let call = client.start(HTTPRequest(method: .get, target: "/slow"), to: url, completion: note)
                    #expect(call != nil)
                    call?.cancel()
                    call?.cancel()
                }
                try await until { results.all == ["200", "cancelled"] }
                gate.open()
            }
        }
    }
}

/// What a callback was told.
private final class Results: Sendable {
    private let texts = Mutex<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    func add(_ text: String) { texts.withLock { $0.append(text) } }
}

/// Waits until something is so.
private func until(_ isSo: () -> Bool) async throws {
    struct NeverHappened: Error {}
    for _ in 0..<30_000 {
        if isSo() { return }
        try await Task.sleep(nanoseconds: 1_000_000)
    }
    throw NeverHappened()
}
