import EventLoop
import HTTP
import HTTPCodec
import TelemetryTesting
import Testing

/// The HTTP row of the reliability policy: each is refused in plain words, and the server goes on.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let request: String
        let status: Int
        init(_ description: String, _ request: String, _ status: Int) {
            self.description = description
            self.request = request
            self.status = status
        }
    }

    private static func get(_ fields: String, _ rest: String = "") -> String {
        "GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\(rest)"
    }

    static let cases: [Case] = [
        Case("two lengths that differ", get("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400),
        Case("two lengths that agree", get("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400),
        Case("list of lengths", get("Content-Length: 1, 1\r\n", "a"), 400),
        Case("length with a sign", get("Content-Length: +1\r\n", "a"), 400),
        Case("length and encoding", get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
        Case("unknown encoding", get("Transfer-Encoding: gzip, chunked\r\n"), 501),
        Case("bare CR in a value", get("a: b\rc: d\r\n"), 400),
        Case("bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400),
        Case("folded field", get("a: b\r\n c\r\n"), 400),
        Case("space before the colon", get("a : b\r\n"), 400),
        Case("space in a name", get("a b: c\r\n"), 400),
        Case("NUL in a value", get("a: b\u{0}c\r\n"), 400),
        Case("NUL in a name", get("a\u{0}: b\r\n"), 400),
        Case("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        Case("two hosts", get("Host: y\r\n"), 400),
        Case("long head", get("a: \(String(repeating: "b", count: 17_000))\r\n"), 431),
        Case("many fields", get(String(repeating: "a: b\r\n", count: 101)), 431),
        Case("long target", "GET /\(String(repeating: "a", count: 9_000)) HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        Case("large body", get("Content-Length: 99999999\r\n"), 413),
        Case("authority-form", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        Case("target without a slash", "GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("dot segments", "GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("encoded dot segments", "GET /a/%2e%2E/b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("encoded slash", "GET /a%2fb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("encoded NUL", "GET /a%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("bad percent-encoding", "GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        Case("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        Case("HTTP/0.9", "GET /\r\n\r\n", 400),
        Case("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", 400),
        Case("bad chunk size", get("Transfer-Encoding: chunked\r\n", "xyz\r\n"), 400),
        Case("chunk without CRLF", get("Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n"), 400),
        Case("huge chunk size", get("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400),
        Case("unknown expectation", get("Expect: money\r\n"), 417),
    ]

    @Test(arguments: cases)
    func isRefusedAndTheServerGoesOn(_ bad: Case) async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            // A request behind the malformed one must not be served: nobody knows where it begins.
            try await client.send(bad.request + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            let all = try await client.receiveToEnd()
            #expect(all.hasPrefix("HTTP/1.1 \(bad.status) "), "\(all.prefix(200))")
            #expect(all.contains("connection: close\r\n"))
            #expect(all.contains("content-type: application/problem+json\r\n"))
            #expect(!all.contains("smuggled"))
            #expect(server.refusedRequests == 1)

            let next = try RawClient(port: server.port)
            try await next.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await next.receiveMessage().body == "GET /next ")
            // Sent in pieces it is refused all the same.
            let slow = try RawClient(port: server.port)
            let bytes = Array(bad.request.utf8)
            let step = max(1, bytes.count / 7)
            for start in stride(from: 0, to: bytes.count, by: step) {
                guard try await slow.send(Array(bytes[start..<min(bytes.count, start + step)])) > 0 else { break }
                try await Task.sleep(nanoseconds: 300_000)
            }
            let answer = try await slow.receiveToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 \(bad.status) "), "\(answer.prefix(200))")
        }
    }

    @Test func answersBeforeABadRequestStillArrive() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nBAD\r\n\r\n")
            #expect(try await client.receiveMessage().body == "GET /1 ")
            #expect(try await client.receiveMessage().body == "GET /2 ")
            let last = try await client.receiveToEnd()
            #expect(last.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func endlessGarbageIsCutAfterABound() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            try await client.send(get413)
            let sent = try await client.sendUntilStuck(atMost: 64 << 20)
            #expect(sent < 32 << 20)
            let isGone = await eventually { server.connectionCount == 0 }
            #expect(isGone)
        }
    }

    private let get413 = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
}
