import HTTPCodec
import Testing

@Suite struct BodyDecoderTests {
    private struct Body: Equatable {
        var data = ""
        var rest = ""
        var isComplete = false
        var refusal: String?
    }

    /// Decodes the text given in pieces of this size.
    private func decode(
        _ framing: HTTPFraming, _ text: String, pieceBytes: Int = .max, limits: HTTPLimits = HTTPLimits()
    ) -> Body {
        var decoder = HTTPBodyDecoder(framing: framing, limits: limits)
        var body = Body()
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(bytes.count, start + min(pieceBytes, bytes.count))])
            start += piece.count
            var offset = 0
            reading: while true {
                do throws(HTTPParseError) {
                    let step = try piece.span.withUnsafeBytes { bytes throws(HTTPParseError) in
                        try decoder.next(bytes, offset: &offset)
                    }
                    switch step {
                    case .data(let range): body.data += String(decoding: piece[range], as: UTF8.self)
                    case .needMore: break reading
                    case .end:
                        body.rest += String(decoding: piece[offset...], as: UTF8.self)
                        break reading
                    }
                } catch {
                    body.refusal = "\(error.status.code) \(error.code)"
                    return body
                }
            }
        }
        body.isComplete = decoder.isComplete
        return body
    }

    @Test func readsAFixedLengthAndLeavesTheRest() {
        #expect(decode(.length(3), "abcdef") == Body(data: "abc", rest: "def", isComplete: true))
        #expect(decode(.length(3), "ab") == Body(data: "ab"))
        #expect(decode(.none, "ab") == Body(rest: "ab", isComplete: true))
        #expect(decode(.length(0), "ab") == Body(rest: "ab", isComplete: true))
    }

    @Test func readsUntilTheConnectionCloses() {
        #expect(decode(.untilClose, "abc") == Body(data: "abc"))
        #expect(HTTPBodyDecoder(framing: .untilClose, limits: HTTPLimits()).endsWithConnection)
        #expect(!HTTPBodyDecoder(framing: .chunked, limits: HTTPLimits()).endsWithConnection)
    }

    @Test(arguments: [
        ("0\r\n\r\nGET", "", "GET"), ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("3\r\nabc\r\n2\r\nde\r\n00\r\n\r\nX", "abcde", "X"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""), ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789", ""),
        ("000000000000003\r\nabc\r\n0\r\n\r\n", "abc", ""), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""),
        ("3;a\r\nabc\r\n0;b=c;d=\"e;\\\" f\"\r\n\r\n", "abc", ""), ("3;a=b;c\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\nX", "abc", "X"),
    ])
    func readsChunksHoweverTheyArrive(_ text: String, _ data: String, _ rest: String) {
        let expected = Body(data: data, rest: rest, isComplete: true)
        for pieceBytes in [1, 2, 3, 5, 7, 1000] {
            #expect(decode(.chunked, text, pieceBytes: pieceBytes) == expected)
        }
    }

    @Test(arguments: [
        ("\r\n", "chunk_size_malformed"), ("g\r\n", "chunk_size_malformed"), ("0x3\r\nabc\r\n", "chunk_size_malformed"),
        ("+3\r\nabc\r\n", "chunk_size_malformed"), ("-3\r\nabc\r\n", "chunk_size_malformed"),
        (" 3\r\nabc\r\n", "chunk_size_malformed"), ("3 \r\nabc\r\n", "chunk_size_malformed"),
        ("3\t;a\r\nabc\r\n", "chunk_size_malformed"), ("3_0\r\n", "chunk_size_malformed"),
        ("3\nabc\r\n", "chunk_size_malformed"), ("3,3\r\nabc", "chunk_size_malformed"),
        ("0000000000000000\r\n\r\n", "chunk_size_malformed"), ("ffffffffffffffff\r\n", "chunk_size_malformed"),
        ("10000000000000003\r\nabc\r\n", "chunk_size_malformed"), ("8000000000000000\r\n", "chunk_size_malformed"),
        (";a\r\n", "chunk_size_malformed"), ("\"3\"\r\n", "chunk_size_malformed"),
        ("３\r\nabc\r\n", "chunk_size_malformed"),
        ("3\rabc\r\n", "chunk_malformed"), ("3\r\r\nabc\r\n", "chunk_malformed"), ("3\r\nabcd\r\n", "chunk_malformed"),
        ("3\r\nabc\n0\r\n\r\n", "chunk_malformed"), ("3\r\nabc\r0\r\n\r\n", "chunk_malformed"),
        ("3\r\nabc0\r\n\r\n", "chunk_malformed"), ("3\r\nabc\r\n\r\n", "chunk_size_malformed"),
        ("3;\r\nabc\r\n", "chunk_extension_malformed"), ("3; a\r\nabc\r\n", "chunk_extension_malformed"),
        ("3;a \r\nabc\r\n", "chunk_extension_malformed"), ("3;a=\r\nabc\r\n", "chunk_extension_malformed"),
        ("3;a = b\r\nabc\r\n", "chunk_extension_malformed"), ("3;=b\r\nabc\r\n", "chunk_extension_malformed"),
        ("3;a=b=c\r\nabc\r\n", "chunk_extension_malformed"), ("3;a\nabc\r\n", "chunk_extension_malformed"),
        ("3;a=\"b\nc\"\r\nabc\r\n", "chunk_extension_malformed"), ("3;a=\"b\r\nabc\r\n", "chunk_extension_malformed"),
        ("3;a=\"b\"c\r\nabc\r\n", "chunk_extension_malformed"), ("3;a=\"\\\n\"\r\nabc", "chunk_extension_malformed"),
        ("3;a\u{0}\r\nabc\r\n", "chunk_extension_malformed"), ("3;;\r\nabc\r\n", "chunk_extension_malformed"),
        ("3;ä\r\nabc\r\n", "chunk_extension_malformed"), ("3;a\rb\r\nabc\r\n", "chunk_malformed"),
        ("0\r\nA: b\nC: d\r\n\r\n", "bare_line_feed"), ("0\r\n\n", "bare_line_feed"),
        ("0\r\nA: b\rC: d\r\n\r\n", "bare_carriage_return"), ("0\r\n\rX", "bare_carriage_return"),
        ("0\r\nA : b\r\n\r\n", "trailer_malformed"), ("0\r\n A: b\r\n\r\n", "trailer_malformed"),
        ("0\r\nA\r\n\r\n", "trailer_malformed"), ("0\r\n: b\r\n\r\n", "trailer_malformed"),
        ("0\r\nA: b\u{0}\r\n\r\n", "trailer_malformed"), ("0\r\nGET / HTTP/1.1\r\n\r\n", "trailer_malformed"),
        ("0\r\nContent-Length: 5\r\n\r\n", "trailer_forbidden"),
        ("0\r\ntransfer-ENCODING: chunked\r\n\r\n", "trailer_forbidden"),
        ("0\r\nHost: x\r\n\r\n", "trailer_forbidden"), ("0\r\nA: b\r\nTrailer: x\r\n\r\n", "trailer_forbidden"),
        ("0\r\nAuthorization: x\r\n\r\n", "trailer_forbidden"),
    ])
    func refusesMalformedChunksHoweverTheyArrive(_ text: String, _ code: String) {
        for pieceBytes in [1, 2, 3, 1000] {
            #expect(decode(.chunked, text, pieceBytes: pieceBytes).refusal == "400 " + code)
        }
    }

    @Test func boundsTheBody() {
        var limits = HTTPLimits()
        limits.maxBodyBytes = 5
        #expect(decode(.chunked, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", limits: limits).isComplete)
        #expect(decode(.chunked, "3\r\nabc\r\n3\r\ndef\r\n", limits: limits).refusal == "413 body_too_large")
        #expect(decode(.chunked, "7fffffffffffff\r\n", limits: limits).refusal == "413 body_too_large")
        #expect(decode(.untilClose, "abcde", limits: limits).refusal == nil)
        #expect(decode(.untilClose, "abcdef", limits: limits).refusal == "413 body_too_large")
        #expect(decode(.untilClose, "abcdef", pieceBytes: 3, limits: limits).refusal == "413 body_too_large")
        #expect(decode(.length(6), "a", limits: limits).refusal == "413 body_too_large")
    }

    @Test func boundsExtensions() {
        let long = String(repeating: "a", count: HTTPBodyDecoder.maxExtensionBytes - 2)
        #expect(decode(.chunked, "1;\(long)\r\nx\r\n0\r\n\r\n").isComplete)
        #expect(decode(.chunked, "1;\(long)a\r\nx\r\n").refusal == "400 chunk_extension_too_long")
        let chunk = "1;\(long)\r\nx\r\n"
        let many = HTTPBodyDecoder.maxExtensionBytesPerBody / long.utf8.count
        #expect(decode(.chunked, String(repeating: chunk, count: many - 1) + "0\r\n\r\n").isComplete)
        #expect(decode(.chunked, String(repeating: chunk, count: many + 1)).refusal == "400 chunk_extension_too_long")
    }

    @Test func boundsTrailers() {
        let name = String(repeating: "a", count: 2000)
        #expect(decode(.chunked, "0\r\n\(name): b\r\n\(name): b\r\n\r\n").isComplete)
        #expect(decode(.chunked, "0\r\n" + String(repeating: "a", count: 5000)).refusal == "431 trailers_too_large")
        #expect(
            decode(.chunked, "0\r\n" + String(repeating: "a: b\r\n", count: 101)).refusal == "431 trailers_too_large")
    }
}
