import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import TelemetryTesting
import Testing

/// Slow clients are cut, patient ones are not.
@Suite struct ServerDeadlineTests {
    @Test func slowHeadIs408EvenWhenItDrips() async throws {
        try await serving({ $0.headTimeoutSeconds = 1 }, handler: hello) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n")
            async let drip: Void = {
                for _ in 0..<30 {
                    guard try await client.send("a: b\r\n") > 0 else { return }
                    try await Task.sleep(nanoseconds: 100_000_000)
                }
            }()
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 408 "))
            #expect(server.refusedRequests == 1)
            try await drip
        }
    }

    @Test func silenceFromTheBeginIsClosedWithoutAWord() async throws {
        try await serving({ $0.headTimeoutSeconds = 1 }, handler: hello) { server in
            let client = try RawClient(port: server.port)
            let all = try await client.receiveToEnd()
            #expect(all.isEmpty)
        }
    }

    @Test func idleConnectionIsClosedButNotBeforeItsTime() async throws {
        try await serving(
            {
                $0.idleTimeoutSeconds = 4
                $0.headTimeoutSeconds = 1
            }, handler: hello
        ) { server in
            let client = try RawClient(port: server.port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                let response = try await client.receiveMessage()
                #expect(response.body == "hello")
                // Longer than the head's time-out, which must not count here.
                try await Task.sleep(nanoseconds: 1_600_000_000)
            }
            let rest = try await client.receiveToEnd()
            #expect(rest.isEmpty)
        }
    }

    @Test func stalledBodyIs408() async throws {
        try await serving({ $0.bodyProgressTimeoutSeconds = 1 }, handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 408 "))
            #expect(all.contains("connection: close\r\n"))
        }
    }

    @Test func drippingBodyIs408() async throws {
        try await serving({ $0.bodyProgressTimeoutSeconds = 1 }, handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            async let drip: Void = {
                for _ in 0..<40 {
                    guard try await client.send("a") > 0 else { return }
                    try await Task.sleep(nanoseconds: 100_000_000)
                }
            }()
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 408 "))
            try await drip
        }
    }

    @Test func bodyThatKeepsComingIsNotCut() async throws {
        try await serving({ $0.bodyProgressTimeoutSeconds = 3 }, handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n")
            for _ in 0..<30 {
                try await client.send([UInt8](repeating: 0x61, count: 1000))
                try await Task.sleep(nanoseconds: 130_000_000)
            }
            let response = try await client.receiveMessage()
            #expect(response.status == 200)
        }
    }

    @Test func senderIsNotBlamedForASlowHandler() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            try await gate.pass()
            return HTTPResponse(body: .bytes(Array("\(try await request.body.collect(upTo: 8 << 20).count)".utf8)))
        }
        try await serving(
            {
                $0.bodyProgressTimeoutSeconds = 1
                $0.maxBodyBytes = 8 << 20
            }, handler: handler
        ) { server in
            let client = try RawClient(port: server.port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(8 << 20)\r\n\r\n")
            async let sent = client.send([UInt8](repeating: 0x61, count: 8 << 20))
            try await Task.sleep(nanoseconds: 2_500_000_000)
            gate.open()
            let response = try await client.receiveMessage()
            #expect(response.body == "\(8 << 20)")
            _ = try await sent
        }
    }

    @Test func clientThatReadsNothingIsCut() async throws {
        let pieces = Pieces(count: 100_000, size: 64 * 1024)
        try await serving(
            { $0.writeProgressTimeoutSeconds = 1 }, handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }
        ) { server in
            let client = try RawClient(port: server.port, receiveBuffer: 16 * 1024)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let isCut = await eventually { server.connectionCount == 0 && pieces.made.value > 0 }
            #expect(isCut)
            _ = client
        }
    }
}
