import HTTPCodec
import Testing

@Suite struct RequestTargetTests {
    private func target(_ text: String, method: String = "GET") throws -> HTTPRequestHead? {
        try parseRequest("\(method) \(text) HTTP/1.1\r\nHost: front\r\n\r\n")
    }

    @Test(arguments: [
        "/", "/a/b", "/a//b", "//a", "/a.b", "/.well-known/x", "/a/...", "/a/..b", "/a/b..", "/a;v=1/b",
        "/~u/-_!$&'()*+,;=:@",
        "/%41%7e", "/a%20b", "/?", "/?a=b&c=d", "/a?b?c", "/?a=%2F..%2f%5C", "/a?x=/../y",
        "/?filter[name]=a|b{c}^`\"<>\\",
        "/%25%32%65%25%32%65/", "/%C3%A4", "/a?%c3%a4",
    ])
    func takesOriginForm(_ text: String) throws {
        #expect(try target(text)?.target == text)
    }

    @Test(arguments: [
        ("/a#b", "target_fragment"), ("/a?b#c", "target_fragment"), ("/#", "target_fragment"),
        ("/ä", "target_malformed"), ("/a\u{7F}", "target_malformed"), ("/a\u{1}", "target_malformed"),
        ("/a\u{0}", "target_malformed"), ("/a?b\u{0}", "target_malformed"), ("/?ä", "target_malformed"),
        ("/a\tb", "target_malformed"), ("/a\\b", "target_malformed"), ("/a\"b", "target_malformed"),
        ("/<a>", "target_malformed"), ("/a|b", "target_malformed"), ("/a^b", "target_malformed"),
        ("/a`b", "target_malformed"), ("/{a}", "target_malformed"), ("/[a]", "target_malformed"),
        ("a", "target_malformed"), ("a/b", "target_malformed"), ("?a", "target_malformed"),
        ("../a", "target_malformed"), ("*", "target_malformed"), ("*x", "target_malformed"), ("", "target_malformed"),
        ("/%", "percent_encoding_malformed"), ("/%4", "percent_encoding_malformed"),
        ("/%zz", "percent_encoding_malformed"), ("/%4g", "percent_encoding_malformed"),
        ("/a%/b", "percent_encoding_malformed"), ("/?a=%", "percent_encoding_malformed"),
        ("/?a=%1", "percent_encoding_malformed"), ("/%u0041", "percent_encoding_malformed"),
        ("/%00", "encoded_nul"), ("/a?b=%00", "encoded_nul"),
        ("/a%2fb", "encoded_slash"), ("/a%2Fb", "encoded_slash"), ("/a%5cb", "encoded_slash"),
        ("/a%5Cb", "encoded_slash"), ("/a%0d%0ab", "encoded_control"), ("/a%1bb", "encoded_control"),
        ("/a%7fb", "encoded_control"),
        ("/.", "dot_segment"), ("/..", "dot_segment"), ("/./a", "dot_segment"), ("/../a", "dot_segment"),
        ("/a/..", "dot_segment"), ("/a/../b", "dot_segment"), ("/a/.?b", "dot_segment"), ("/a/..?b", "dot_segment"),
        ("/%2e%2e/a", "dot_segment"), ("/%2E./a", "dot_segment"), ("/.%2e", "dot_segment"), ("/a/%2e", "dot_segment"),
        ("/..;/a", "dot_segment"), ("/.;x=1", "dot_segment"), ("/a/%2e%2E;v/b", "dot_segment"),
    ])
    func refusesWhatTwoReadersCouldTakeDifferently(_ text: String, _ code: String) {
        #expect(refusal(of: "GET \(text) HTTP/1.1\r\nHost: front\r\n\r\n") == "400 " + code)
    }

    @Test(arguments: [
        ("http://a/b?c", "/b?c", "a"), ("HTTP://a:80/b", "/b", "a:80"), ("https://a.b/", "/", "a.b"),
        ("http://a", "/", "a"), ("http://a?b", "/?b", "a"), ("http://[::1]:80/b", "/b", "[::1]:80"),
    ])
    func reducesAbsoluteFormWhoseHostWins(_ text: String, _ path: String, _ host: String) throws {
        let head = try #require(try target(text))
        #expect(head.target == path)
        #expect(head.fields.values("host") == [host])
    }

    @Test(arguments: [
        ("http://", "host_malformed"), ("http:///a", "host_malformed"), ("http://u@a/", "host_malformed"),
        ("http://u:p@a/", "host_malformed"), ("http://a:x/", "host_malformed"), ("http://a\\b/", "host_malformed"),
        ("http://a#b", "target_fragment"), ("http://a/../b", "dot_segment"), ("http://a/%2f", "encoded_slash"),
        ("ftp://a/b", "target_malformed"), ("http:/a", "target_malformed"), ("http:a", "target_malformed"),
        ("javascript:x", "target_malformed"), ("a:80", "target_malformed"), ("file:///etc", "target_malformed"),
    ])
    func refusesMalformedAbsoluteForm(_ text: String, _ code: String) {
        #expect(refusal(of: "GET \(text) HTTP/1.1\r\nHost: front\r\n\r\n") == "400 " + code)
    }

    @Test func stillWantsAHostFieldBesideAbsoluteForm() {
        #expect(refusal(of: "GET http://a/ HTTP/1.1\r\n\r\n") == "400 host_missing")
    }

    @Test func takesAsteriskForOptionsOnly() throws {
        #expect(try target("*", method: "OPTIONS")?.target == "*")
        #expect(try target("http://a", method: "OPTIONS")?.target == "*")
        #expect(refusal(of: "POST * HTTP/1.1\r\nHost: x\r\n\r\n") == "400 target_malformed")
    }

    @Test func refusesConnect() {
        #expect(refusal(of: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n") == "501 connect_refused")
        #expect(refusal(of: "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n") == "400 host_malformed")
        #expect(refusal(of: "CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n") == "400 host_malformed")
        #expect(refusal(of: "CONNECT a/b HTTP/1.1\r\nHost: a\r\n\r\n") == "400 target_malformed")
    }
}
