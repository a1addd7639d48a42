import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import TelemetryTesting
import Testing

/// Connections: how many, how they leave, how the server stops.
@Suite struct ServerLimitTests {
    @Test func connectionOverTheLimitOfItsAddressIs503() async throws {
        try await serving({ $0.maxConnectionsPerAddress = 2 }, handler: hello) { server in
            var kept: [RawClient] = []
            for _ in 0..<2 {
                let client = try RawClient(port: server.port)
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.receiveMessage().status == 200)
                kept.append(client)
            }
            let third = try RawClient(port: server.port)
            try await third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let refusal = try await third.receiveToEnd()
            #expect(refusal.hasPrefix("HTTP/1.1 503 "))
            #expect(refusal.contains("retry-after: 1\r\n"))
            #expect(refusal.contains("connection: close\r\n"))
            #expect(server.refusedConnections == 1)

            // A place is free again as soon as one leaves.
            kept.removeLast()
            let hasLeft = await eventually { server.connectionCount == 1 }
            #expect(hasLeft)
            let fourth = try RawClient(port: server.port)
            try await fourth.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await fourth.receiveMessage().status == 200)
        }
    }

    @Test func connectionOverTheTotalIs503() async throws {
        try await serving({ $0.maxConnections = 1 }, handler: hello) { server in
            let first = try RawClient(port: server.port)
            try await first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await first.receiveMessage().status == 200)
            let second = try RawClient(port: server.port)
            let refusal = try await second.receiveToEnd()
            #expect(refusal.hasPrefix("HTTP/1.1 503 "))
        }
    }

    @Test(arguments: [true, false])
    func clientThatLeavesCancelsItsHandler(byReset: Bool) async throws {
        let gate = Gate()
        let wasCancelled = Atomic<Bool>(false)
        let handler: HTTPHandler = { _ in
            do {
                try await gate.pass()
            } catch is CancellationError {
                wasCancelled.store(true, ordering: .relaxed)
                throw CancellationError()
            }
            return HTTPResponse()
        }
        try await serving(handler: handler) { server in
            do {
                let client = try RawClient(port: server.port)
                if byReset { client.resetOnClose() }
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                let isHandling = await eventually { gate.arrivals == 1 }
                #expect(isHandling)
            }
            let isCancelled = await eventually { wasCancelled.load(ordering: .relaxed) }
            #expect(isCancelled)
            let isGone = await eventually { server.connectionCount == 0 }
            #expect(isGone)
        }
    }

    @Test func clientThatLeavesStopsAStreamedResponse() async throws {
        let pieces = Pieces(count: .max, size: 64 * 1024)
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }) { server in
            do {
                let client = try RawClient(port: server.port)
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try await client.receive()
            }
            let isGone = await eventually { server.connectionCount == 0 }
            #expect(isGone)
            let made = pieces.made.value
            try await Task.sleep(nanoseconds: 100_000_000)
            #expect(pieces.made.value == made)
        }
    }

    @Test func halfClosedClientStillGetsItsAnswer() async throws {
        try await serving(handler: hello) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            client.shutdownWriting()
            let all = try await client.receiveToEnd()
            #expect(all.hasSuffix("hello"))
        }
    }

    @Test func drainFinishesWhatIsUnderWayAndClosesTheRest() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            if request.target == "/slow" { try await gate.pass() }
            return try await hello(request)
        }
        try await serving(handler: handler) { server in
            let idle = try RawClient(port: server.port)
            try await idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await idle.receiveMessage()
            var busy: [RawClient] = []
            for _ in 0..<20 {
                let client = try RawClient(port: server.port)
                try await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                busy.append(client)
            }
            let areHandled = await eventually { gate.arrivals == 20 }
            #expect(areHandled)
            async let drained: Void = server.drain(timeoutSeconds: 10)
            let rest = try await idle.receiveToEnd()
            #expect(rest.isEmpty)
            let isRefusing = await eventually { (try? RawClient(port: server.port)) == nil }
            #expect(isRefusing)
            gate.open()
            for client in busy {
                let all = try await client.receiveToEnd()
                #expect(all.hasSuffix("hello"))
                #expect(all.contains("connection: close\r\n"))
            }
            await drained
            #expect(server.connectionCount == 0)
        }
    }

    @Test func drainCutsWhatIsLeftAtItsDeadline() async throws {
        let gate = Gate()
        let wasCancelled = Atomic<Bool>(false)
        let handler: HTTPHandler = { _ in
            do { try await gate.pass() } catch { wasCancelled.store(true, ordering: .relaxed) }
            return HTTPResponse()
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let isHandled = await eventually { gate.arrivals == 1 }
            #expect(isHandled)
            await server.drain(timeoutSeconds: 1)
            #expect(server.connectionCount == 0)
            let isCancelled = await eventually { wasCancelled.load(ordering: .relaxed) }
            #expect(isCancelled)
            let all = try await client.receiveToEnd()
            #expect(all.isEmpty)
        }
    }

    @Test func drainUnderLoadLosesNoRequestThatWasAnswered() async throws {
        let answered = Atomic<Int>(0)
        let handler: HTTPHandler = { request in
            await Task.yield()
            answered.wrappingAdd(1, ordering: .relaxed)
            return try await hello(request)
        }
        try await serving(handler: handler) { server in
            let port = server.port
            let counts = await withTaskGroup(of: (Int, Int).self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        var complete = 0
                        var broken = 0
                        guard let client = try? RawClient(port: port) else { return (0, 0) }
                        while true {
                            guard (try? await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) ?? 0 > 0 else { break }
                            guard let head = try? await client.receive(through: "\r\n\r\n"), !head.isEmpty else {
                                break
                            }
                            guard let body = try? await client.receive(through: "hello"), body == "hello" else {
                                broken += 1
                                break
                            }
                            complete += 1
                        }
                        return (complete, broken)
                    }
                }
                _ = await eventually { answered.load(ordering: .relaxed) > 200 }
                await server.drain(timeoutSeconds: 10)
                return await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
            }
            #expect(counts.1 == 0)
            #expect(counts.0 == answered.load(ordering: .relaxed))
            #expect(server.connectionCount == 0)
        }
    }

    @Test func manyConnectionsAtOnceAreServed() async throws {
        try await serving({ $0.maxConnectionsPerAddress = 1000 }, handler: echo) { server in
            let clients = try (0..<300).map { _ in try RawClient(port: server.port) }
            for (number, client) in clients.enumerated() {
                try await client.send("GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
            }
            for (number, client) in clients.enumerated() {
                #expect(try await client.receiveMessage().body == "GET /\(number) ")
            }
            #expect(server.connectionCount == 300)
        }
    }
}
