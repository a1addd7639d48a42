import HTTPCodec
import Testing

@Suite struct HTTPSerializerTests {
    private let date = HTTPDate.format(secondsSince1970: 784_111_777)

    private func response(
        _ status: HTTPStatus, _ framing: HTTPFraming, _ fields: HTTPFields = HTTPFields(), keepsAlive: Bool = true,
        date: [UInt8]? = nil, minorVersion: Int = 1
    ) -> String {
        var output: [UInt8] = []
        HTTPSerializer.responseHead(
            status: status, fields: fields, framing: framing, keepsAlive: keepsAlive, date: date ?? [],
            minorVersion: minorVersion, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private func request(
        _ method: HTTPMethod, _ target: String, host: String = "h:1", _ fields: HTTPFields = HTTPFields(),
        _ framing: HTTPFraming = .none
    ) -> String {
        var output: [UInt8] = []
        HTTPSerializer.requestHead(
            method: method, target: target, host: host, fields: fields, framing: framing, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func writesAResponse() {
        var fields = HTTPFields()
        fields.add("Content-Type", "text/plain")
        #expect(
            response(.ok, .length(12), fields, date: date)
                == "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
                + "content-length: 12\r\n\r\n")
        #expect(response(.notFound, .chunked) == "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    @Test func saysThatThereIsNoBodyWhereTheStatusDoesNot() {
        #expect(response(.ok, .none) == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        #expect(response(.noContent, .none) == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(response(.noContent, .length(5)) == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(response(.notModified, .none) == "HTTP/1.1 304 Not Modified\r\n\r\n")
        #expect(response(HTTPStatus(100), .none, keepsAlive: false) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test func saysWhenTheConnectionCloses() {
        #expect(response(.ok, .length(0), keepsAlive: false).contains("\r\nconnection: close\r\n"))
        #expect(response(.ok, .untilClose).contains("\r\nconnection: close\r\n"))
        #expect(!response(.ok, .length(0)).contains("connection"))
        #expect(response(.ok, .length(0), minorVersion: 0).contains("\r\nconnection: keep-alive\r\n"))
    }

    @Test func framingOfAHandlerIsLeftOut() {
        var fields = HTTPFields()
        fields.add("A", "1")
        fields.add("Content-Length", "99")
        fields.add("B", "2")
        fields.add("transfer-encoding", "chunked")
        fields.add("CONNECTION", "upgrade")
        fields.add("Date", "x")
        #expect(
            response(.created, .length(3), fields)
                == "HTTP/1.1 201 Created\r\nA: 1\r\nB: 2\r\ncontent-length: 3\r\n\r\n")
    }

    @Test func writesThreeDigitsWhateverTheStatus() {
        #expect(response(HTTPStatus(299), .length(0)).hasPrefix("HTTP/1.1 299 Status\r\n"))
        #expect(response(HTTPStatus(12), .length(0)).hasPrefix("HTTP/1.1 500 "))
    }

    @Test func writesARequest() {
        var fields = HTTPFields()
        fields.add("Host", "other")
        fields.add("Accept", "*/*")
        #expect(request(.get, "/a?b", fields) == "GET /a?b HTTP/1.1\r\nhost: h:1\r\nAccept: */*\r\n\r\n")
        #expect(request(.post, "/") == "POST / HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\n\r\n")
        #expect(
            request(.put, "/", .init(), .chunked) == "PUT / HTTP/1.1\r\nhost: h:1\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        #expect(request(.other("M-X"), "/").hasPrefix("M-X / HTTP/1.1\r\n"))
        #expect(request(.options, "*").hasPrefix("OPTIONS * HTTP/1.1\r\n"))
    }

    @Test func aTargetCannotSplitTheRequest() {
        #expect(
            request(.get, "/a b\r\nX: y#ä").hasPrefix("GET /a%20b%0D%0AX:%20y%23%C3%A4 HTTP/1.1\r\nhost: h:1\r\n\r\n"))
        #expect(request(.get, "").hasPrefix("GET / HTTP/1.1\r\n"))
        #expect(request(.get, "a").hasPrefix("GET /a HTTP/1.1\r\n"))
        #expect(request(.get, "/%41?x=%2f").hasPrefix("GET /%41?x=%2f HTTP/1.1\r\n"))
    }

    @Test(arguments: ["", "a b", "a\r\nX: y", "a/b", "a:b"])
    func aHostCannotSplitTheRequest(_ host: String) {
        #expect(request(.get, "/", host: host) == "")
    }

    @Test(arguments: ["", "G ET", "GET\r\n", "GÉT"])
    func aMethodCannotSplitTheRequest(_ method: String) {
        #expect(request(.other(method), "/") == "")
    }

    @Test(arguments: [0, 1, 9, 10, 15, 16, 255, 256, 4095, 4096, 70_000])
    func writesChunksThatReadBack(_ count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var output: [UInt8] = []
        payload.withUnsafeBytes { HTTPSerializer.chunk($0, into: &output) }
        HTTPSerializer.lastChunk(into: &output)
        #expect(output.starts(with: Array((count == 0 ? "0" : String(count, radix: 16)).utf8) + [13, 10]))
        let text = Array(post("Transfer-Encoding: chunked").utf8) + output
        #expect(Conversation.read(text).messages.first?.body == payload)
    }

    @Test(arguments: [0, 1, 9, 10, 11, 99, 100, 12_345, 1_048_576, Int.max])
    func writesLengthsThatReadBack(_ count: Int) {
        #expect(response(.ok, .length(count)).contains("\r\ncontent-length: \(count)\r\n"))
    }
}
