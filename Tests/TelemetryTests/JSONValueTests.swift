import TelemetrySDK
import Testing

@Suite struct JSONValueTests {
    private func parse(_ text: String) -> JSONValue? { JSONValue(Array(text.utf8)) }

    @Test func valuesOfEveryKindAreRead() {
        #expect(parse(" null ") == .null)
        #expect(parse("true") == .bool(true) && parse("false") == .bool(false))
        #expect(parse("-12") == .integer(-12) && parse("9223372036854775807") == .integer(.max))
        #expect(parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(parse("-1.5e-3") == .number(-0.0015) && parse("0") == .integer(0))
        #expect(
            parse(#""a\"\\\/\b\f\n\r\té\u00e9\uD83D\uDE00\uD800x""#) == .string("a\"\\/\u{8}\u{c}\n\r\téé😀\u{FFFD}x"))
        #expect(
            parse(#"{"a":[1,[],{}],"a":"b"}"#)
                == .object([
                    (key: "a", value: .array([.integer(1), .array([]), .object([])])), (key: "a", value: .string("b")),
                ]))
    }

    @Test(arguments: [
        "", " ", "nul", "truex", "01", "-", "1.", "1e", "+1", ".5", "\"", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "[1,]",
        "[1",
        "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "1 2", "[1]]", "NaN",
    ])
    func whatIsNotJSONIsRefused(text: String) { #expect(parse(text) == nil) }

    @Test func depthIsBounded() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parse(nested(JSONValue.maxDepth)) != nil)
        #expect(parse(nested(100_000)) == nil)
    }

    @Test func responsesOfCollectorsAreRead() {
        func read(_ text: String) -> OTLPResponse? { OTLPResponse(json: Array(text.utf8)) }
        #expect(read("{}")?.rejectedItems == 0)
        #expect(read(#"{"partialSuccess":{}}"#)?.rejectedItems == 0)
        #expect(read(#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#)?.rejectedItems == 3)
        #expect(read(#"{"partialSuccess":{"rejectedLogRecords":4}}"#)?.rejectedItems == 4)
        #expect(read(#"{"partialSuccess":{"rejectedDataPoints":-4,"errorMessage":"x"}}"#)?.rejectedItems == 0)
        #expect(read(#"{"partialSuccess":null,"other":[]}"#)?.rejectedItems == 0)
        #expect(read("<html>") == nil && read("[]") == nil && read("") == nil)
        let long = String(repeating: "x", count: 5_000)
        #expect(read(#"{"partialSuccess":{"errorMessage":"\#(long)"}}"#)?.errorMessage.utf8.count == 1_024)
    }
}
