import HTTPCodec
import Testing

/// The pieces in which bytes arrive must make no difference: not to what is read, and not to what is refused and why.
@Suite struct IncrementalTests {
    private static let streams: [String] = [
        get("A: b", "Connection: close"),
        "\r\n" + get(),
        post("Content-Length: 11", body: "hello world") + get("X: y"),
        post("Transfer-Encoding: chunked", body: "5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\nT: u\r\n\r\n") + get(),
        "GET http://other/a?b HTTP/1.1\r\nHost: x\r\n\r\n",
        get() + post("Transfer-Encoding: chunked", body: "5\r\nhello\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body: "5\r\nhello\r\n0\r\nHost: y\r\n\r\n"),
        post("Content-Length: 5", "Content-Length: 5", body: "hello"),
        "G@T / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\nC: d\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n" + get(),
        "\r\n\r\n" + get(),
        "\u{16}\u{3}\u{1}" + get(),
        get("A: b\rC: d"),
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r",
    ]

    @Test(arguments: streams)
    func everySplitGivesTheSame(_ text: String) {
        let bytes = Array(text.utf8)
        let whole = Conversation.read(bytes)
        for split in 0...bytes.count {
            let parts = Conversation.read([bytes[..<split], bytes[split...]])
            #expect(parts == whole, "split at \(split)")
        }
        #expect(Conversation.read(bytes.indices.map { bytes[$0...$0] }) == whole)
    }

    @Test func everyPairOfSplitsGivesTheSame() {
        let bytes = Array(Self.streams[3].utf8)
        let whole = Conversation.read(bytes)
        #expect(whole.isWhole)
        for first in 0..<bytes.count {
            for second in first..<bytes.count {
                let parts = Conversation.read([bytes[..<first], bytes[first..<second], bytes[second...]])
                if parts != whole { Issue.record("splits at \(first) and \(second)") }
            }
        }
    }

    @Test(arguments: [
        "GET /" + String(repeating: "a", count: 500) + " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 1000) + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 30) + "\r\n",
        "GET /" + String(repeating: "a", count: 1100) + "\nX",
        String(repeating: "a", count: 800),
        "GET / HTTP/1.1\r\n" + String(repeating: "a", count: 1000) + "\n",
        "\r\n" + String(repeating: "a", count: 1200),
    ])
    func limitsDoNotDependOnThePieces(_ text: String) {
        var limits = HTTPLimits()
        limits.maxHeadBytes = 900
        limits.maxTargetBytes = 400
        limits.maxFieldCount = 20
        let bytes = Array(text.utf8)
        let whole = Conversation.read(bytes, limits: limits)
        #expect(whole.refusal != nil)
        for split in stride(from: 0, through: bytes.count, by: 7) {
            #expect(Conversation.read([bytes[..<split], bytes[split...]], limits: limits) == whole)
        }
        #expect(Conversation.read(bytes.indices.map { bytes[$0...$0] }, limits: limits) == whole)
    }

    /// A head that arrives byte by byte is searched once: `scanned` follows what was received.
    @Test func remembersHowFarItLooked() throws {
        let bytes = Array(get("A: b").utf8)
        var scanned = 0
        for count in 1..<bytes.count {
            let start = Array(bytes[..<count])
            let head = try start.span.withUnsafeBytes { bytes throws(HTTPParseError) in
                try HTTPHeadParser.request(bytes, scanned: &scanned, limits: HTTPLimits())
            }
            #expect(head?.byteCount == nil)
            #expect(scanned == count)
        }
        _ = try bytes.span.withUnsafeBytes { bytes throws(HTTPParseError) in
            try HTTPHeadParser.request(bytes, scanned: &scanned, limits: HTTPLimits())
        }
        #expect(scanned == 0)
    }
}
