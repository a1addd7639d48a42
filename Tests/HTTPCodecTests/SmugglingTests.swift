import HTTPCodec
import Testing

/// The published classes of request smuggling. A front and a back that read such a message differently can be made to
/// see different requests; each is therefore refused outright, or has one reading only.
@Suite struct SmugglingTests {
    private static let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"

    private func expectRefused(_ text: String, _ location: SourceLocation = #_sourceLocation) {
        let conversation = Conversation.read(text)
        #expect(conversation.refusal != nil, sourceLocation: location)
        #expect(!conversation.messages.contains { $0.target == "/hidden" }, sourceLocation: location)
        #expect(conversation.messages.filter(\.isComplete).isEmpty, sourceLocation: location)
    }

    // MARK: Length against encoding

    @Test func contentLengthBeforeTransferEncoding() {
        expectRefused(post("Content-Length: 6", "Transfer-Encoding: chunked", body: "0\r\n\r\nG" + Self.hidden))
    }

    @Test func transferEncodingBeforeContentLength() {
        expectRefused(
            post("Transfer-Encoding: chunked", "Content-Length: 3", body: "1\r\nZ\r\n0\r\n\r\n" + Self.hidden))
    }

    @Test(arguments: [
        "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding:\tchunked\u{B}", " Transfer-Encoding: chunked", "X: x\nTransfer-Encoding: chunked",
        "Transfer-Encoding\r\n : chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding:\u{0}chunked",
        "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked, identity",
        "Transfer-Encoding\u{0}: chunked", "\u{0}Transfer-Encoding: chunked", "Transfer-Encoding: chunk\r\n ed",
        "Transfer-Encoding: \u{C}chunked", "Transfer-Encoding: chunked\u{A0}",
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
        "Foo: bar\r\n\rTransfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "TRANSFER-ENCODING: CHUNKED,",
    ])
    func obfuscatedTransferEncoding(_ line: String) {
        expectRefused(post("Content-Length: 4", line, body: "5c\r\n" + Self.hidden))
        expectRefused(post(line, body: "0\r\n\r\n" + Self.hidden))
    }

    /// Names that only look like it are other fields: one reading, the one of Content-Length.
    @Test(arguments: ["Transfer_Encoding: chunked", "Transfer-Encodin: chunked", "X-Transfer-Encoding: chunked"])
    func namesThatOnlyLookLikeTransferEncodingAreOtherFields(_ line: String) {
        let conversation = Conversation.read(post("Content-Length: 5", line, body: "0\r\n\r\n" + Self.hidden))
        #expect(conversation.messages.map(\.target) == ["/", "/hidden"])
        #expect(conversation.messages[0].body == Array("0\r\n\r\n".utf8))
    }

    @Test(arguments: [
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: 5,5", "Content-Length: +5",
        "Content-Length: 5 6", "Content-Length: 0x5", "Content-Length: 05", "Content-Length : 5",
        "Content-Length: 5\u{B}",
        "Content-Length: 5\r\n\tx", "Content-Length:\n5", "Content-Length: -0", "Content-Length: ",
        "Content-Length: 5\u{0}",
        "Content-Length: 18446744073709551621", "Content-Length\u{0}: 5", "Content-Length:5\r\nCONTENT-LENGTH:5",
    ])
    func ambiguousLengths(_ lines: String) {
        expectRefused(post(lines, body: "hello" + Self.hidden))
    }

    // MARK: Bodies that one side does not expect

    /// CL.0 and GET with a body: the length counts whatever the method and the path.
    @Test(arguments: ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "TRACE"])
    func aBodyIsABodyWhateverTheMethod(_ method: String) {
        let body = Self.hidden
        let text = "\(method) /static.js HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
        let conversation = Conversation.read(text + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(conversation.messages.map(\.target) == ["/static.js", "/next"])
        #expect(conversation.isWhole)
    }

    /// 0.CL: an expectation that one side takes for something else.
    @Test(arguments: ["Expect: y 100-continue", "Expect:\u{A0}100-continue", "Expect: 100-continue\r\nExpect: y"])
    func obfuscatedExpectations(_ line: String) {
        expectRefused(post("Content-Length: 5", line, body: "hello" + Self.hidden))
    }

    @Test func hiddenAfterAnHTTP10Chunked() {
        expectRefused("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Self.hidden)
    }

    // MARK: Chunks

    /// TERM.EXT and EXT.TERM: a lone LF ends the line of a chunk size for one side, and not for the other.
    @Test(arguments: [
        "2;\nxx\r\n22\r\n", "2;a\nxx\r\n0\r\n\r\n", "2\nxx\r\n0\r\n\r\n", "2;a=\"\n\"\r\nxx\r\n0\r\n\r\n",
        "2\r;a\nxx\r\n0\r\n\r\n",
        "2;a\r;b\r\nxx\r\n0\r\n\r\n", "2 \nxx\r\n0\r\n\r\n",
    ])
    func loneLineFeedInAChunkExtension(_ chunks: String) {
        expectRefused(post("Transfer-Encoding: chunked", body: chunks + Self.hidden))
    }

    /// TERM.SPILL and SPILL.TERM: a chunk whose data is not followed by CR LF.
    @Test(arguments: [
        "5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n", "5\r\nAAAAA\n0\r\n\r\n", "5\r\nAAAAA\r0\r\n\r\n", "5\r\nAAAAA0\r\n\r\n",
        "5\r\nAAAAA \r\n0\r\n\r\n", "5\r\nAAAA\r\n0\r\n\r\n",
    ])
    func chunkDataThatSpills(_ chunks: String) {
        expectRefused(post("Transfer-Encoding: chunked", body: chunks + Self.hidden))
    }

    @Test(arguments: [
        "0x5\r\nhello\r\n0\r\n\r\n", "5;\u{0}\r\nhello\r\n0\r\n\r\n", "05 \r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "100000005\r\nhello\r\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffb\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
    ])
    func chunkSizesThatReadersTakeDifferently(_ chunks: String) {
        expectRefused(post("Transfer-Encoding: chunked", body: chunks + Self.hidden))
    }

    @Test(arguments: [
        "0\r\nContent-Length: 10\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nX: y\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\n\r\n", "0\r\n\n", "0\r\n \r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func trailersThatReadersTakeDifferently(_ chunks: String) {
        expectRefused(post("Transfer-Encoding: chunked", body: chunks + Self.hidden))
    }

    // MARK: Lines

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: x\r\nX: y\rGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\rGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\u{B}\r\nHost: x\r\n\r\n", "GET /\u{85} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\u{0}\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\n Host: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a HTTP/1.1 /b HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func linesThatReadersTakeDifferently(_ text: String) {
        expectRefused(text)
    }

    /// Pipelining is no smuggling: every message has one reading.
    @Test func pipelinedRequestsAreRead() {
        let text =
            post("Transfer-Encoding: chunked", body: "3\r\nabc\r\n0\r\n\r\n") + post("Content-Length: 2", body: "de")
            + get()
        let conversation = Conversation.read(text)
        #expect(conversation.isWhole)
        #expect(conversation.messages.map(\.method) == ["POST", "POST", "GET"])
        #expect(conversation.messages.map { String(decoding: $0.body, as: UTF8.self) } == ["abc", "de", ""])
    }

    @Test func theFirstMessageCountsEvenWhenTheSecondIsRefused() {
        let conversation = Conversation.read(get() + "BAD\r\n\r\n")
        #expect(conversation.messages.count == 1)
        #expect(conversation.refusal == "400 method_malformed")
    }
}
