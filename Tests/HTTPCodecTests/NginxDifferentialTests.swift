import HTTPCodec
import Testing

/// The same bytes to a real nginx and to our codec: what nginx refuses, we refuse. And what both accept, both take for
/// the same number of requests: the two can stand one behind the other.
@Suite(.serialized, .enabled(if: Nginx.isInstalled, "nginx is not installed"))
struct NginxDifferentialTests {
    /// What nginx made of a stream.
    private struct Answer {
        var statuses: [Int] = []
        var hasRefusal: Bool { statuses.contains { $0 >= 400 } }

        init(_ bytes: [UInt8]) {
            let lines = String(decoding: bytes, as: UTF8.self).split(
                separator: "HTTP/1.1 ", omittingEmptySubsequences: false)
            statuses = lines.dropFirst().compactMap { Int($0.prefix(3)) }
        }
    }

    /// Why we may take what nginx refuses.
    private enum Excuse {
        /// nginx wants capitals, `_` and `-`; RFC 9110, section 9.1, wants a token. Nothing is framed by it, and the router
        /// answers 405.
        static func isLowerCaseMethod(_ conversation: Conversation) -> Bool {
            conversation.messages.contains { message in
                !message.method.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x2D || $0 == 0x5F }
            }
        }
        /// nginx has no answer to TRACE but 405.
        static func isTrace(_ conversation: Conversation) -> Bool {
            conversation.messages.contains { $0.method == "TRACE" }
        }
    }

    private func compare(_ bytes: [UInt8], _ nginx: Nginx) {
        let ours = Conversation.read(bytes)
        let theirs = Answer(nginx.exchange(bytes))
        guard ours.isWhole, !Excuse.isLowerCaseMethod(ours), !Excuse.isTrace(ours) else { return }
        let text = String(decoding: bytes, as: UTF8.self).debugDescription
        if theirs.hasRefusal {
            Issue.record("nginx answers \(theirs.statuses), we accept: \(text)")
        } else if theirs.statuses.count != answered(ours) {
            Issue.record("nginx sees \(theirs.statuses.count) requests, we see \(ours.messages.count): \(text)")
        }
    }

    /// Requests up to the first after which the connection closes.
    private func answered(_ conversation: Conversation) -> Int {
        conversation.messages.firstIndex { !$0.keepsAlive }.map { $0 + 1 } ?? conversation.messages.count
    }

    private static func body(_ lines: String, _ body: String) -> String {
        "POST /body HTTP/1.1\r\nHost: x\r\n\(lines)\r\n\r\n\(body)"
    }

    private static let table: [String] = [
        // Request lines.
        "G@T / HTTP/1.1\r\nHost: x\r\n\r\n", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", "GET / http/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET / HTTP/1\r\nHost: x\r\n\r\n", "GET / HTTP/1.\r\nHost: x\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: x\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\rHost: x\r\n\r\n",
        "GET /a\u{0}b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a\u{7F}b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a\u{1}b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "GET /% HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /.. HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /../a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a/../../b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%2e%2e/a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n",
        "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", "GET / HTTP/1.1\r\nHost: .\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: ..\r\n\r\n",
        "GET http://a..b/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.:80\r\n\r\n",
        // Fields.
        get("A : b"), get("A\t: b"), get("A b: c"), get(": b"), get("A"), get("A\u{0}: b"), get("A: b\u{0}c"),
        get("A: b\u{1}c"),
        get("A: b\rc"), get("A: b", " c"), get("A: b", "\tc"), get(" A: b"), get("\u{7F}: b"), get("A: b\u{7F}"),
        get("é: b"),
        get("(: b"), get("A_B: c"), get("\"A\": b"), get("A: é"), get("A:b"), get("A:"),
        // Framing.
        body("Content-Length: 5", "hello"), body("Content-Length: 5\r\nContent-Length: 5", "hello"),
        body("Content-Length: 5\r\nContent-Length: 6", "hello!"), body("Content-Length: +5", "hello"),
        body("Content-Length: -5", "hello"),
        body("Content-Length: 0x5", "hello"), body("Content-Length: 5, 5", "hello"),
        body("Content-Length: 5 5", "hello"),
        body("Content-Length:", "hello"), body("Content-Length: five", "hello"),
        body("Content-Length: 99999999999999999999", "hello"),
        body("Content-Length: 9223372036854775808", "hello"), body("Content-Length: 5a", "hello"),
        body("Content-Length: 1048577", "hello"),
        body("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        body("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
        body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        body("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
        body("Transfer-Encoding: identity", ""), body("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        body("Transfer-Encoding:", "0\r\n\r\n"),
        body("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), body("Transfer-Encoding: \"chunked\"", "0\r\n\r\n"),
        "POST /body HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // Chunks.
        body("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"), body("Transfer-Encoding: chunked", "g\r\n\r\n"),
        body("Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "\r\n5\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "ffffffffffffffffff\r\nhello"),
        body("Transfer-Encoding: chunked", "7fffffffffffffff\r\nhello"),
        body("Transfer-Encoding: chunked", "5\r\nhelloX\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5\r\nhell\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5;\u{0}\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", ";\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5 5\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5\rhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nA: b\r\n\r\n"),
        body("Transfer-Encoding: chunked", "100001\r\nhello"),
        // Several requests, all of them good.
        get() + get() + get(), body("Content-Length: 5", "hello") + get(),
        body("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n") + get(),
        get("Connection: close") + get(), "\r\n" + get(), "GET http://other/a HTTP/1.1\r\nHost: x\r\n\r\n",
    ]

    private func withNginx(_ run: (Nginx) -> Void) throws {
        let nginx = try #require(Nginx())
        defer { nginx.stop() }
        run(nginx)
    }

    @Test func whatNginxRefusesWeRefuse() throws {
        try withNginx { nginx in
            // First that nginx is judging at all.
            #expect(Answer(nginx.exchange(Array(get().utf8))).statuses == [200])
            #expect(Answer(nginx.exchange(Array("G@T / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))).statuses == [400])
            #expect(Answer(nginx.exchange(Array(Self.body("Content-Length: 2", "ab").utf8))).statuses == [200])
            for text in Self.table { compare(Array(text.utf8), nginx) }
        }
    }

    /// Every interesting byte at every place of messages that are valid without it, put in and put over.
    @Test func oneByteOffWeRefuseWhatNginxRefuses() throws {
        let bytes: [UInt8] = [0x00, 0x01, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x2C, 0x3A, 0x3B, 0x7F, 0x80]
        let messages = [
            "GET /a?b=c HTTP/1.1\r\nHost: a.b:80\r\nA: b c\r\n\r\n", Self.body("Content-Length: 2", "ab"),
            Self.body("Transfer-Encoding: chunked", "2;a=b\r\nab\r\n0\r\nT: u\r\n\r\n"),
        ].map { Array($0.utf8) }
        try withNginx { nginx in
            for message in messages {
                for place in message.indices {
                    for byte in bytes {
                        var inserted = message
                        inserted.insert(byte, at: place)
                        compare(inserted, nginx)
                        var replaced = message
                        replaced[place] = byte
                        compare(replaced, nginx)
                    }
                }
            }
        }
    }
}
