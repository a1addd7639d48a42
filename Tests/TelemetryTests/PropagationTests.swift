import Telemetry
import Testing

@Suite struct TraceParentTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let span = "b7ad6b7169203331"

    private func context(_ traceParent: String, traceState: String? = nil) -> SpanContext? {
        Propagation.extract { name in
            switch name {
            case "traceparent": traceParent
            case "tracestate": traceState
            default: nil
            }
        }.span
    }

    @Test(arguments: [
        ("00-\(trace)-\(span)-01", true), ("00-\(trace)-\(span)-00", false), ("00-\(trace)-\(span)-03", true),
        ("00-\(trace)-\(span)-02", false), ("00-\(trace)-\(span)-ff", true), (" 00-\(trace)-\(span)-01\t", true),
        ("01-\(trace)-\(span)-01", true), ("01-\(trace)-\(span)-01-what-comes-later", true),
        ("fe-\(trace)-\(span)-00-", false),
    ])
    func wellFormedParentIsTaken(_ header: String, sampled: Bool) throws {
        let context = try #require(self.context(header))
        #expect(context.traceID.description == Self.trace)
        #expect(context.spanID.description == Self.span)
        #expect(context.isSampled == sampled)
        #expect(context.isRemote)
    }

    @Test(arguments: [
        "", "00", "garbage", "00-\(trace)-\(span)", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-01-extra",
        "00-\(trace)-\(span)-01x", "01-\(trace)-\(span)-01x", "ff-\(trace)-\(span)-01", "FF-\(trace)-\(span)-01",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-\(span)-01", "00-\(trace)-B7AD6B7169203331-01",
        "00-\(trace)-\(span)-0G", "00-\(trace)-\(span)-A1", "0x-\(trace)-\(span)-01", "00_\(trace)_\(span)_01",
        "00-\(trace)g-\(span.dropLast())-01", "00-\(trace)-\(span)-01,00-\(trace)-\(span)-01",
        "00-0af7651916cd43dd8448eb211c80319\u{0}-\(span)-01", "00-0af7651916cd43dd8448eb211c8031é-\(span)-01",
    ])
    func malformedParentStartsANewTraceAndDropsTheState(_ header: String) {
        #expect(context(header, traceState: "a=1") == nil)
    }

    /// Level 2: our identifiers are random in all their bits, and say so; those of others keep what was said of them.
    @Test func theRandomFlagIsThatOfWhoeverMadeTheIdentifier() throws {
        let tracer = Telemetry(resource: ServiceResource(name: "x"), spanSink: nil, logSink: nil).tracer
        func flags(_ context: SpanContext) -> String? {
            var sent: [String: String] = [:]
            Propagation.inject(TelemetryContext(span: context)) { sent[$0] = $1 }
            return sent["traceparent"].map { String($0.suffix(2)) }
        }
        #expect(flags(tracer.startSpan("x", parent: TelemetryContext()).context) == "03")
        for sent in ["00", "01", "02", "03"] {
            let parent = try #require(context("00-\(Self.trace)-\(Self.span)-\(sent)"))
            #expect(flags(tracer.startSpan("x", parent: TelemetryContext(span: parent)).context) == sent)
        }
    }

    @Test func onlyVersionZeroAndKnownFlagsAreSent() throws {
        let context = try #require(self.context("cc-\(Self.trace)-\(Self.span)-ff-x"))
        var sent: [String: String] = [:]
        Propagation.inject(TelemetryContext(span: context)) { sent[$0] = $1 }
        #expect(sent["traceparent"] == "00-\(Self.trace)-\(Self.span)-03")
    }

    @Test(arguments: [
        ("a=1,b=2", "a=1,b=2"), (" a=1 ,\tb=2 ", "a=1,b=2"), ("a=1,,b=2,", "a=1,b=2"), ("a= 1", "a= 1"),
        ("0tenant@vendor=x", "0tenant@vendor=x"), ("a-_*/=!~", "a-_*/=!~"), ("", ""),
    ])
    func stateIsTidiedAndPassedOn(_ header: String, expected: String) {
        #expect(context("00-\(Self.trace)-\(Self.span)-01", traceState: header)?.traceState == expected)
    }

    @Test(arguments: [
        "a", "=1", "A=1", "a=", "a=1,a=2", "a=b=c", "a b=1", "_a=1", "a=é", "a=\u{1}", "é=1",
        String(repeating: "k", count: 257) + "=1", "a=" + String(repeating: "v", count: 257),
        (0..<33).map { "k\($0)=1" }.joined(separator: ","),
    ])
    func malformedStateIsDroppedAndTheParentKept(_ header: String) throws {
        let context = try #require(self.context("00-\(Self.trace)-\(Self.span)-01", traceState: header))
        #expect(context.traceState.isEmpty)
    }

    @Test func thirtyTwoMembersAndTheLongestAllowedOnesAreKept() {
        let members = (0..<32).map { "k\($0)=1" }.joined(separator: ",")
        #expect(context("00-\(Self.trace)-\(Self.span)-01", traceState: members)?.traceState == members)
        let long = String(repeating: "k", count: 255) + "=" + String(repeating: "v", count: 256)
        #expect(context("00-\(Self.trace)-\(Self.span)-01", traceState: long)?.traceState == long)
    }

    @Test func tooLongAStateLosesLongMembersFirstThenTheLast() throws {
        let long = "long=" + String(repeating: "v", count: 200)
        let short = (10..<40).prefix(28).map { "key\($0)=0123456789" }
        let header = ([short[0], long] + short[1...]).joined(separator: ",")
        let state = try #require(context("00-\(Self.trace)-\(Self.span)-01", traceState: header)).traceState
        #expect(!state.contains("long="))
        #expect(state == short.joined(separator: ","))
        let medium = (10..<42).map { "key\($0)=" + String(repeating: "v", count: 30) }
        let cut = try #require(
            context("00-\(Self.trace)-\(Self.span)-01", traceState: medium.joined(separator: ","))
        ).traceState
        #expect(cut.utf8.count <= 512)
        #expect(cut == medium.prefix(cut.split(separator: ",").count).joined(separator: ","))
        #expect(cut.utf8.count > 512 - 40)
    }
}

@Suite struct BaggageTests {
    private func baggage(_ header: String) -> Baggage {
        Propagation.extract { $0 == "baggage" ? header : nil }.baggage
    }

    private func sent(_ baggage: Baggage) -> String? {
        var result: String?
        Propagation.inject(TelemetryContext(baggage: baggage)) { name, value in
            if name == "baggage" { result = value }
        }
        return result
    }

    @Test func membersAreDecodedAndPropertiesKept() {
        let baggage = self.baggage("user=al%20ice%2C;level=5 ;p , k2 = a=b ,k3=,k4=%C3%A9")
        #expect(baggage["user"] == "al ice,")
        #expect(baggage["k2"] == "a=b")
        #expect(baggage["k3"] == "")
        #expect(baggage["k4"] == "é")
        #expect(sent(baggage) == "user=al%20ice%2C;level=5 ;p,k2=a=b,k3=,k4=%C3%A9")
    }

    @Test(arguments: ["novalue", "=x", "k\"=v", "k=v v", "k=\"v\"", "k=v\\", "k=é", "k(=v", ";p", ""])
    func malformedMemberIsLeftOutAndTheOthersStay(_ member: String) {
        let baggage = self.baggage("before=1,\(member),after=2")
        #expect(baggage.entries.map(\.key) == ["before", "after"])
    }

    @Test func valuesThatAreNotUTF8AreRepaired() {
        #expect(baggage("k=%FF%41")["k"] == "\u{FFFD}A")
        #expect(baggage("k=100%")["k"] == "100%")
        #expect(baggage("k=%zz")["k"] == "%zz")
    }

    @Test func theLastOfEqualKeysWins() { #expect(baggage("k=1,k=2")["k"] == "2") }

    @Test func limitsDropWholeMembers() {
        let many = (0..<100).map { "k\($0)=v" }.joined(separator: ",")
        #expect(baggage(many).entries.count == 64)
        let big = (0..<4).map { "k\($0)=" + String(repeating: "v", count: 3_000) }.joined(separator: ",")
        #expect(baggage(big).entries.map(\.key) == ["k0", "k1"])
        var full = Baggage()
        for index in 0..<4 { full["k\(index)"] = String(repeating: " ", count: 1_000) }
        #expect((sent(full) ?? "").utf8.count <= 8_192)
        #expect(sent(full)?.split(separator: ",").count == 2)
    }

    @Test func everyValueSurvivesTheTrip() {
        var baggage = Baggage()
        baggage["k"] = "\u{0}\r\n\",;\\%é漢😀 =\u{7F}"
        let header = sent(baggage)
        #expect(header?.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } == true)
        #expect(self.baggage(header ?? "")["k"] == baggage["k"])
    }

    @Test func keysThatAreNoTokensAreNotSent() {
        var baggage = Baggage()
        baggage["a b"] = "1"
        baggage["x\r\nInjected: 1"] = "1"
        #expect(sent(baggage) == nil)
    }
}

@Suite struct RequestIDTests {
    @Test func wellFormedIDIsAcceptedFromTheHeaderFirst() {
        let headers = ["x-request-id": "abc-DEF_1.2", "baggage": "request.id=other,a=1"]
        let context = Propagation.extract { headers[$0] }
        #expect(context.requestID == "abc-DEF_1.2")
        #expect(context.baggage.entries.map(\.key) == ["a"])
    }

    @Test func baggageCarriesItWhereNoHeaderDoes() {
        #expect(Propagation.extract { $0 == "baggage" ? "request.id=from-baggage" : nil }.requestID == "from-baggage")
    }

    @Test(arguments: [
        "", "a b", "a\r\nb", "é", "a,b", String(repeating: "a", count: 129), "<script>", "a/b", "a\u{0}",
    ])
    func malformedIDIsReplacedByAUUID(_ id: String) throws {
        let made = try #require(Propagation.extract { $0 == "x-request-id" ? id : nil }.requestID)
        #expect(made.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
    }

    @Test func longestIDIsAccepted() {
        let id = String(repeating: "a", count: 128)
        #expect(Propagation.extract { $0 == "x-request-id" ? id : nil }.requestID == id)
    }

    @Test func everythingCrossesAHop() throws {
        var baggage = Baggage()
        baggage["tenant"] = "acme"
        let span = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true, traceState: "v=1")
        let context = TelemetryContext(span: span, requestID: "id-1", baggage: baggage)
        var headers: [String: String] = [:]
        Propagation.inject(context) { headers[$0] = $1 }
        #expect(headers["x-request-id"] == "id-1")
        #expect(headers["baggage"] == "request.id=id-1,tenant=acme")
        let received = Propagation.extract { headers[$0] }
        #expect(received.span == span)
        #expect(received.requestID == "id-1")
        #expect(received.baggage == baggage)
        headers["x-request-id"] = nil
        #expect(Propagation.extract { headers[$0] }.requestID == "id-1")
    }

    @Test func idsAreUnique() {
        #expect(Set((0..<10_000).map { _ in Propagation.makeRequestID() }).count == 10_000)
    }

    @Test func randomBytesNeverBreakTheParsers() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789abcdefABCDEF-,;=%@ \t\"\\\r\nké😀\u{0}".unicodeScalars)
        for _ in 0..<5_000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...200, using: &random) {
                text.append(alphabet.randomElement(using: &random)!)
            }
            let header = String(text)
            let context = Propagation.extract { _ in header }
            Propagation.inject(context) { _, value in
                #expect(value.utf8.allSatisfy { ($0 >= 0x20 || $0 == 0x09) && $0 < 0x7F })
            }
        }
    }
}
