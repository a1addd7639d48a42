import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// The client against our own server: pool, streams, time.
@Suite struct ClientTests {
    @Test func connectionIsKeptAndUsedAgain() async throws {
        try await serving(handler: echo) { server in
            try await calling { client in
                let texts = try await loops.loops[0].run {
                    var texts: [String] = []
                    for number in 0..<100 {
                        let request = HTTPRequest(method: .post, target: "/\(number)", body: .bytes(Array("b".utf8)))
                        texts.append(try await client.send(request, to: server.url).text())
                    }
                    return texts
                }
                #expect(texts == (0..<100).map { "POST /\($0) b" })
                #expect(server.connectionCount == 1)
            }
        }
    }

    @Test func hostMayBeNamed() async throws {
        try await serving(handler: { HTTPResponse(body: .bytes(Array(($0.headers["host"] ?? "").utf8))) }) { server in
            try await calling { client in
                let url = "http://localhost:\(server.port)"
                let text = try await client.send(HTTPRequest(method: .get, target: "/"), to: url + "/").text()
                #expect("http://" + text == url)
            }
        }
    }

    @Test(arguments: [
        "https://x", "x:80", "http://", "http://x:0", "http://x:99999", "http://x/path", "http://a@b", "http://x:80x",
        "http://[::1", "http://x y", "http://[zz]:1", "ftp://x",
    ])
    func malformedURLIsRefused(_ url: String) async throws {
        try await calling { client in
            await #expect {
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: url)
            } throws: { error in
                if case HTTPClientError.invalidURL = error { true } else { false }
            }
        }
    }

    @Test func requestsBeyondTheBoundWaitForAConnection() async throws {
        let handler: HTTPHandler = { request in
            try await EventLoop.current?.sleep(milliseconds: 1)
            return try await echo(request)
        }
        try await serving(handler: handler) { server in
            try await calling({ $0.maxConnectionsPerHostAndLoop = 4 }) { client in
                let count = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<500 {
                        group.addTask {
                            let request = HTTPRequest(method: .get, target: "/\(number)")
                            return try await client.send(request, to: server.url).text() == "GET /\(number) "
                        }
                    }
                    return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(count == 500)
                #expect(server.connectionCount <= 8)
            }
        }
    }

    @Test func waitersAreBoundedAndTimeOut() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            try await gate.pass()
            return try await echo(request)
        }
        try await serving(handler: handler) { server in
            try await calling({
                $0.maxConnectionsPerHostAndLoop = 1
                $0.maxWaitingPerHostAndLoop = 1
            }) { client in
                try await loops.loops[0].run {
                    let request = HTTPRequest(method: .get, target: "/")
                    async let first = client.send(request, to: server.url)
                    _ = await eventually { gate.arrivals == 1 }
                    await #expect(throws: HTTPClientError.timedOut) {
                        _ = try await client.send(request, to: server.url, timeoutMilliseconds: 50)
                    }
                    async let second = client.send(request, to: server.url)
                    // The second one waits as soon as this task gives way.
                    try await Task.sleep(nanoseconds: 20_000_000)
                    await #expect(throws: HTTPClientError.tooManyWaiting) {
                        _ = try await client.send(request, to: server.url)
                    }
                    gate.open()
                    #expect(try await first.status == .ok)
                    #expect(try await second.status == .ok)
                }
            }
        }
    }

    @Test func largeBodiesAreStreamedThereAndBack() async throws {
        try await serving({ $0.maxBodyBytes = 64 << 20 }, handler: { HTTPResponse(body: $0.body) }) { server in
            try await calling { client in
                for length in [nil, 300 * 30_000] {
                    let request = HTTPRequest(
                        method: .post, target: "/", body: .stream(length: length, Pieces(count: 300, size: 30_000)))
                    let response = try await client.send(request, to: server.url)
                    let bytes = try await response.body.collect(upTo: 10_000_000)
                    #expect(bytes.count == 9_000_000)
                    #expect(bytes.last == UInt8(truncatingIfNeeded: 300))
                }
            }
        }
    }

    @Test func uploadWaitsForASlowServer() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            try await gate.pass()
            return HTTPResponse(body: .bytes(Array("\(try await request.body.collect(upTo: 128 << 20).count)".utf8)))
        }
        try await serving({ $0.maxBodyBytes = 128 << 20 }, handler: handler) { server in
            try await calling { client in
                let pieces = Pieces(count: 1_000, size: 64 * 1024)
                async let response = client.send(
                    HTTPRequest(method: .post, target: "/", body: .stream(length: nil, pieces)), to: server.url,
                    timeoutMilliseconds: 60_000)
                var last = -1
                while last != pieces.made.value || last < 1 {
                    last = pieces.made.value
                    try await Task.sleep(nanoseconds: 200_000_000)
                }
                #expect(last < 300)
                gate.open()
                #expect(try await response.text() == "\(1_000 * 64 * 1024)")
            }
        }
    }

    @Test func downloadWaitsForASlowReader() async throws {
        let pieces = Pieces(count: 2_000, size: 64 * 1024)
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }) { server in
            try await calling({ $0.maxResponseBytes = 256 << 20 }) { client in
                let response = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
                var last = -1
                while last != pieces.made.value || last < 1 {
                    last = pieces.made.value
                    try await Task.sleep(nanoseconds: 200_000_000)
                }
                #expect(last < 300)
                guard case .stream(_, let body) = response.body else { throw RawClient.Failure(what: "no stream") }
                var count = 0
                for try await piece in body { count += piece.count }
                #expect(count == 2_000 * 64 * 1024)
            }
        }
    }

    @Test func droppedResponseClosesItsConnection() async throws {
        let pieces = Pieces(count: .max, size: 64 * 1024)
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }) { server in
            try await calling { client in
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
                let isGone = await eventually { server.connectionCount == 0 }
                #expect(isGone)
            }
        }
    }

    @Test func proxyIsBoundedInMemoryBothWays() async throws {
        // Client -> proxy -> echo -> proxy -> client, all streamed; the far end reads nothing at first.
        let pieces = Pieces(count: 1_000, size: 64 * 1024)
        try await serving({ $0.maxBodyBytes = 128 << 20 }, handler: { HTTPResponse(body: $0.body) }) { upstream in
            try await calling({ $0.maxResponseBytes = 128 << 20 }) { client in
                let forward: HTTPHandler = { try await client.send($0, to: upstream.url) }
                try await serving({ $0.maxBodyBytes = 128 << 20 }, handler: forward) { proxy in
                    let request = HTTPRequest(method: .post, target: "/", body: .stream(length: nil, pieces))
                    let response = try await client.send(request, to: proxy.url)
                    var last = -1
                    while last != pieces.made.value || last < 1 {
                        last = pieces.made.value
                        try await Task.sleep(nanoseconds: 200_000_000)
                    }
                    #expect(last < 600)
                    guard case .stream(_, let body) = response.body else { throw RawClient.Failure(what: "no stream") }
                    var count = 0
                    for try await piece in body { count += piece.count }
                    #expect(count == 1_000 * 64 * 1024)
                }
            }
        }
    }

    @Test func deadlineOfTheContextWinsAndIsPassedOn() async throws {
        let gate = Gate()
        let seen = Mutex<[Int]>([])
        let handler: HTTPHandler = { request in
            seen.withLock { $0.append(Int(request.headers["x-request-deadline"] ?? "") ?? -1) }
            if request.target == "/slow" { try await gate.pass() }
            return try await echo(request)
        }
        try await serving(handler: handler) { server in
            try await calling { client in
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
                _ = try await client.send(
                    HTTPRequest(method: .get, target: "/"), to: server.url, timeoutMilliseconds: 3_000)
                let deadline = TelemetryClock.system.monotonicNanoseconds() + 2_000_000_000
                await #expect(throws: HTTPClientError.timedOut) {
                    try await TelemetryContext.$current.withValue(TelemetryContext(deadline: deadline)) {
                        _ = try await client.send(HTTPRequest(method: .get, target: "/slow"), to: server.url)
                    }
                }
                let values = seen.withLock { $0 }
                try #require(values.count == 3)
                #expect((3_001...10_000).contains(values[0]))
                #expect((2_001...3_000).contains(values[1]))
                #expect((0...2_000).contains(values[2]))
            }
        }
    }

    @Test func cancelledCallerCancelsTheHandler() async throws {
        let gate = Gate()
        let wasCancelled = Atomic<Bool>(false)
        let handler: HTTPHandler = { _ in
            do { try await gate.pass() } catch { wasCancelled.store(true, ordering: .relaxed) }
            return HTTPResponse()
        }
        try await serving(handler: handler) { server in
            try await calling { client in
                let url = server.url
                let task = Task { try await client.send(HTTPRequest(method: .get, target: "/"), to: url) }
                _ = await eventually { gate.arrivals == 1 }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                let isCancelled = await eventually { wasCancelled.load(ordering: .relaxed) }
                #expect(isCancelled)
            }
        }
    }

    @Test func shutDownClientRefusesAndClosesWhatIdles() async throws {
        try await serving(handler: echo) { server in
            let client = HTTPClient(group: loops, telemetry: nil)
            _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
            await client.shutdown()
            await #expect(throws: HTTPClientError.shutDown) {
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
            }
            let isGone = await eventually { server.connectionCount == 0 }
            #expect(isGone)
        }
    }

    @Test func idleConnectionIsClosedAfterItsTime() async throws {
        try await serving(handler: echo) { server in
            try await calling({ $0.idleTimeoutSeconds = 1 }) { client in
                _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
                #expect(server.connectionCount == 1)
                let isGone = await eventually { server.connectionCount == 0 }
                #expect(isGone)
            }
        }
    }
}
