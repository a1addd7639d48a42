import HTTPCodec
import Testing

@Suite struct ResponseHeadTests {
    @Test func readsAnOrdinaryResponse() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok"
        let head = try #require(try parseResponse(text))
        #expect(head.status == .ok)
        #expect(head.framing == .length(2))
        #expect(head.keepsAlive)
        #expect(head.byteCount == text.utf8.count - 2)
        #expect(head.fields["x"] == "y")
    }

    @Test(arguments: ["HTTP/1.1 299 \r\n\r\n", "HTTP/1.1 299\r\n\r\n", "HTTP/1.1 299 Käse \t x\r\n\r\n"])
    func takesAnyReason(_ text: String) throws {
        #expect(try parseResponse(text)?.status.code == 299)
    }

    @Test(arguments: [
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 200 O\u{0}K\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n", "HTTP/2.0 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    ])
    func refusesAMalformedResponseAsABadGatewayWould(_ text: String) {
        do throws(HTTPParseError) {
            _ = try parseResponse(text)
            Issue.record("accepted")
        } catch {
            #expect(error.status == .badGateway)
        }
    }

    @Test(arguments: [
        (200, "GET", "", HTTPFraming.untilClose), (200, "GET", "Content-Length: 0", .length(0)),
        (200, "GET", "Transfer-Encoding: chunked", .chunked), (200, "HEAD", "Content-Length: 9", .none),
        (200, "HEAD", "Transfer-Encoding: chunked", .none), (204, "GET", "Content-Length: 9", .none),
        (304, "GET", "Content-Length: 9", .none), (100, "GET", "", .none), (103, "POST", "Content-Length: 3", .none),
        (500, "POST", "Content-Length: 3", .length(3)),
    ])
    func readsTheFraming(_ status: Int, _ method: String, _ line: String, _ expected: HTTPFraming) throws {
        let text = "HTTP/1.1 \(status) x\r\n" + (line.isEmpty ? "" : line + "\r\n") + "\r\n"
        let head = try #require(try parseResponse(text, to: HTTPMethod(method)))
        #expect(head.framing == expected)
        #expect(head.keepsAlive == (expected != .untilClose))
    }

    @Test func keepsTheConnectionAsToldTo() throws {
        #expect(try parseResponse("HTTP/1.1 204 x\r\nConnection: close\r\n\r\n")?.keepsAlive == false)
        #expect(try parseResponse("HTTP/1.0 204 x\r\n\r\n")?.keepsAlive == false)
        #expect(try parseResponse("HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n")?.keepsAlive == true)
    }

    @Test func readsAnInterimResponseBeforeTheFinalOne() throws {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
        let first = try #require(try parseResponse(text))
        #expect(first.status.code == 100)
        let rest = String(decoding: Array(text.utf8)[first.byteCount...], as: UTF8.self)
        #expect(try parseResponse(rest)?.status == .created)
    }

    @Test func givesTheSameAtEverySplit() throws {
        let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n".utf8)
        for split in 0..<bytes.count {
            var scanned = 0
            let start = Array(bytes[..<split])
            let partial = try start.span.withUnsafeBytes { bytes throws(HTTPParseError) in
                try HTTPHeadParser.response(bytes, scanned: &scanned, limits: HTTPLimits(), requestMethod: .get)
            }
            #expect(partial == nil)
            let whole = try bytes.span.withUnsafeBytes { bytes throws(HTTPParseError) in
                try HTTPHeadParser.response(bytes, scanned: &scanned, limits: HTTPLimits(), requestMethod: .get)
            }
            #expect(whole?.byteCount == bytes.count)
        }
    }
}
