import HTTPCodec
import Testing

/// Requests and responses of the kinds that the test suites of llhttp, http-parser and picohttpparser hold: what real
/// programs send, and what tripped older parsers.
@Suite struct KnownCasesTests {
    @Test(arguments: [
        // Command-line clients and browsers.
        "GET /test HTTP/1.1\r\nUser-Agent: curl/7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1\r\nHost: 0.0.0.0:5000\r\nAccept: */*\r\n\r\n",
        "GET /favicon.ico HTTP/1.1\r\nHost: 0.0.0.0:5000\r\nUser-Agent: Mozilla/5.0 (X11; U; Linux i686)\r\n"
            + "Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip,deflate\r\nKeep-Alive: 300\r\n"
            + "Connection: keep-alive\r\n\r\n",
        // A field with an odd name, an empty value, no space after the colon.
        "GET /dumbpack HTTP/1.1\r\nhost: x\r\naaaaaaaaaaaaa:++++++++++\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:x\r\nAccept-Charset:\r\nX-Empty: \r\n\r\n",
        // Queries with question marks, and an underscore in the host.
        "GET /test.cgi?foo=bar?baz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://hypnotoad_example.com/?hail=all HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://example.org:1234?hail=all HTTP/1.1\r\nHost: example.org:1234\r\n\r\n",
        // Methods beyond the usual.
        "REPORT /test HTTP/1.1\r\nHost: x\r\n\r\n", "M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\n\r\n",
        "NOTIFY /x HTTP/1.1\r\nHost: x\r\n\r\n", "PURGE /file.txt HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        "SEARCH / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        "LINK /images/my_dog.jpg HTTP/1.1\r\nHost: example.com\r\n\r\n",
        // HTTP/1.0 without fields.
        "GET /get_no_headers_no_body/world HTTP/1.0\r\n\r\n",
        // An upgrade that is not taken up, and several Connection options.
        "GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "GET /demo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, foo ,bar\r\n\r\n",
        // Bodies.
        "POST /post_identity_body_world?q=search HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nContent-Length: 5\r\n\r\nWorld",
        "POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\nall your base are belong to us\r\n0\r\n\r\n",
        "POST /two HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n",
        "POST /trailers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nVary: *\r\nX-Sum: text/plain\r\n\r\n",
        "POST /ext HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5;ilovew3;somuchlove=aretheseparametersfor;another=withvalue\r\nhello\r\n"
            + "6;blahblah;blah\r\n world\r\n0\r\n\r\n",
        "POST /quoted HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5;ilovew3=\"I \\\"love\\\"; \\\\extensions\\\\\";a=b\r\nhello\r\n0\r\n\r\n",
        // Line breaks before the request, once.
        "\r\nGET /test HTTP/1.1\r\nHost: x\r\n\r\n",
        // Octets beyond ASCII in a value.
        "GET / HTTP/1.1\r\nHost: x\r\nTest: D\u{FC}sseldorf\r\n\r\n",
    ])
    func requestsOfRealProgramsAreRead(_ text: String) {
        if text.hasPrefix("M-SEARCH") {
            // The asterisk belongs to OPTIONS; what discovers devices speaks over UDP.
            #expect(refusal(of: text) == "400 target_malformed")
        } else {
            #expect(Conversation.read(text).isWhole)
        }
    }

    @Test(arguments: [
        // What older parsers let pass.
        "GET / HTTP/1.1\r\nHost: x\r\nFoo: F\u{1}ailure\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nFoo: B\u{2}ar\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nname\r\n : value\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nFoo: a\r\n b\r\n\r\n",
        "GET / HTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/01.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\u{0}\r\nHost: x\r\n\r\n",
        "GET \u{0}/ HTTP/1.1\r\nHost: x\r\n\r\n", "HELLO\u{0}WORLD / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nFoo: bar\r\n\rX: y\r\n\r\n", "GET / HTTP/1.1\r\nFoo\u{0}: x\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 42 13\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1844674407370955161510\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \u{9}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, deflate\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: pigeons\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: pigeons\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;ilovew3;some love\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;il\"ove\"w3\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na \r\n0123456789\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFFF\r\nhello\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFFF\r\nhello\r\n",
        "GET /\u{7F} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /δ¶ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nHost: x",
        "GET http:////x HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://toto@a@b/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://a:%31/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://[::g]/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\u{9}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n[: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nVery-Lon@g: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA\u{E9}: y\r\n\r\n",
        "GET / HTTP/1.1\r\nCR: a\r\n\r\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    func whatTrippedOlderParsersIsRefused(_ text: String) {
        #expect(Conversation.read(text).refusal != nil)
    }

    @Test(arguments: [
        (
            "HTTP/1.1 301 Moved Permanently\r\nLocation: http://www.example/\r\nContent-Type: text/html\r\n"
                + "X-XSS-Protection: 1; mode=block\r\nContent-Length: 219\r\n\r\n", 301
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n", 404), ("HTTP/1.1 301\r\n\r\n", 301),
        ("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", 200),
        ("HTTP/1.0 301 Moved Permanently\r\nDate: Thu, 03 Jun 2010 09:56:32 GMT\r\nX: \t y \t\r\n\r\n", 301),
        ("HTTP/1.1 200 OK\r\nServer: DCLK-AdSvr\r\nContent-Type:\r\nContent-Length:0\r\n\r\n", 200),
        ("HTTP/1.1 500 Ori\u{EB}ntatieprobleem\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 101),
    ])
    func responsesOfRealServersAreRead(_ text: String, _ status: Int) throws {
        #expect(try parseResponse(text)?.status.code == status)
    }
}
