import HTTPCodec
import Testing

@Suite struct FramingTests {
    @Test func readsTheFramingOfRequests() throws {
        #expect(try parseRequest(get())?.framing == HTTPFraming.none)
        #expect(try parseRequest(post())?.framing == HTTPFraming.none)
        #expect(try parseRequest(post("Content-Length: 0"))?.framing == HTTPFraming.none)
        #expect(try parseRequest(post("content-LENGTH:  42 "))?.framing == .length(42))
        #expect(try parseRequest(get("Content-Length: 5"))?.framing == .length(5))
        #expect(try parseRequest(post("Transfer-Encoding: chunked"))?.framing == .chunked)
        #expect(try parseRequest(get("TRANSFER-ENCODING: Chunked"))?.framing == .chunked)
    }

    @Test(arguments: [
        "", "+1", "-1", "1 ", "0x1", "1a", "a", "1,1", "1, 1", "1;1", "1.0", "1e1", "01", "00", "1\t1", "1 1", "\"1\"",
        "١", "½",
    ])
    func refusesAContentLengthThatIsNoPlainNumber(_ value: String) {
        let expected = value == "1 " ? nil : "400 content_length_malformed"
        #expect(refusal(of: post("Content-Length: " + value, body: "1")) == expected)
    }

    @Test(arguments: ["9223372036854775808", "18446744073709551617", "99999999999999999999999999999999"])
    func refusesAContentLengthThatOverflows(_ value: String) {
        #expect(refusal(of: post("Content-Length: " + value)) == "400 content_length_overflow")
    }

    @Test(arguments: [
        "Content-Length:\t1", "Content-Length: 1\t", "Content-Length: \t1", "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked \t", "Content-Length:\t",
    ])
    func refusesTabsAroundWhatFramesTheMessage(_ line: String) {
        #expect(refusal(of: post(line, body: "1")) == "400 field_value_tab")
    }

    @Test func refusesRepeatedContentLengthEvenEqualOnes() {
        #expect(refusal(of: post("Content-Length: 1", "Content-Length: 1", body: "a")) == "400 content_length_repeated")
        #expect(refusal(of: post("Content-Length: 1", "content-length: 2", body: "a")) == "400 content_length_repeated")
        #expect(refusal(of: post("Content-Length: 0", "Content-Length: 1", body: "a")) == "400 content_length_repeated")
    }

    @Test func boundsTheBody() throws {
        #expect(try parseRequest(post("Content-Length: 1048576"))?.framing == .length(1_048_576))
        #expect(refusal(of: post("Content-Length: 1048577")) == "413 body_too_large")
        #expect(refusal(of: post("Content-Length: 999999999999999999")) == "413 body_too_large")
    }

    @Test(arguments: [
        ("", "400 transfer_encoding_malformed"), ("identity", "400 transfer_encoding_malformed"),
        ("gzip", "400 transfer_encoding_malformed"), ("xchunked", "400 transfer_encoding_malformed"),
        ("chunkedx", "400 transfer_encoding_malformed"), ("chunked, chunked", "400 transfer_encoding_malformed"),
        ("chunked, identity", "400 transfer_encoding_malformed"), ("chunked, gzip", "400 transfer_encoding_malformed"),
        (", chunked", "400 transfer_encoding_malformed"), ("chunked,", "400 transfer_encoding_malformed"),
        ("chunked;q=1", "400 field_list_malformed"), ("\"chunked\"", "400 field_list_malformed"),
        ("chunked chunked", "400 field_list_malformed"), ("chunked\u{B}", "400 field_value_malformed"),
        ("\u{B}chunked", "400 field_value_malformed"), ("chunked\u{0}", "400 field_value_malformed"),
        ("chun\tked", "400 field_list_malformed"), ("'chunked'", "400 transfer_encoding_malformed"),
        ("chunKed", "400 transfer_encoding_malformed"),
        ("gzip, chunked", "501 transfer_encoding_unknown"), ("br,Chunked", "501 transfer_encoding_unknown"),
    ])
    func takesNothingButChunkedAsTransferEncoding(_ value: String, _ expected: String) {
        // The Kelvin sign looks like a K in some foldings.
        let value = value == "chunKed" ? "chun\u{212A}ed" : value
        let code = refusal(of: post("Transfer-Encoding: " + value, body: "0\r\n\r\n"))
        #expect(code == (value.unicodeScalars.contains("\u{212A}") ? "400 field_list_malformed" : expected))
    }

    @Test func refusesTransferEncodingBesideAnythingElse() {
        let chunked = "Transfer-Encoding: chunked"
        #expect(refusal(of: post(chunked, "Content-Length: 5", body: "0\r\n\r\n")) == "400 length_and_encoding")
        #expect(refusal(of: post("Content-Length: 5", chunked, body: "0\r\n\r\n")) == "400 length_and_encoding")
        #expect(refusal(of: post("Content-Length: 0", chunked, body: "0\r\n\r\n")) == "400 length_and_encoding")
        #expect(refusal(of: post(chunked, chunked, body: "0\r\n\r\n")) == "400 transfer_encoding_repeated")
        let old = "POST / HTTP/1.0\r\nHost: x\r\n\(chunked)\r\n\r\n0\r\n\r\n"
        #expect(refusal(of: old) == "400 encoding_in_http_1_0")
    }
}
