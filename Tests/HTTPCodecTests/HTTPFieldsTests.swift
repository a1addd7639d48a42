import HTTPCodec
import Testing

@Suite struct HTTPFieldsTests {
    private func list(_ fields: HTTPFields) -> [String] {
        var lines: [String] = []
        fields.forEach { lines.append("\($0): \($1)") }
        return lines
    }

    @Test func findsNamesWithoutCase() {
        var fields = HTTPFields()
        fields.add("Content-Type", "text/plain")
        fields.add("x-request-id", "1")
        fields.add("X-REQUEST-ID", "2")
        #expect(fields.count == 3)
        #expect(fields["content-type"] == "text/plain")
        #expect(fields["X-Request-Id"] == "1")
        #expect(fields.values("x-request-id") == ["1", "2"])
        #expect(fields.contains("CONTENT-TYPE"))
        #expect(!fields.contains("content-typ"))
        #expect(fields["content-typf"] == nil)
        #expect(fields.values("y").isEmpty)
        #expect(fields.withValue("content-type") { $0.count } == 10)
        #expect(fields.withValue("missing") { $0.count } == nil)
    }

    @Test func doesNotFoldWhatIsNoLetter() {
        var fields = HTTPFields()
        fields.add("a^b", "1")
        #expect(fields["a~b"] == nil)
        fields.add("a_", "1")
        #expect(fields["a\u{7F}"] == nil)
    }

    @Test func setReplacesAndRemoveForgets() {
        var fields = HTTPFields()
        fields.add("A", "1")
        fields.add("B", "2")
        fields.add("a", "3")
        fields.add("C", "4")
        fields.set("A", "5")
        #expect(list(fields) == ["B: 2", "C: 4", "A: 5"])
        fields.remove("c")
        fields.remove("missing")
        #expect(list(fields) == ["B: 2", "A: 5"])
        fields.remove("b")
        fields.remove("a")
        #expect(fields.isEmpty)
        #expect(fields.byteCount == 0)
    }

    @Test func replacingAgainAndAgainDoesNotGrow() {
        var fields = HTTPFields()
        fields.add("A", "1")
        for round in 0..<1000 { fields.set("Date", "\(round % 10)") }
        #expect(list(fields) == ["A: 1", "Date: 9"])
        #expect(fields.byteCount == "A: 1\r\nDate: 9\r\n".utf8.count)
    }

    @Test func copiesDoNotShareChanges() {
        var fields = HTTPFields()
        fields.add("A", "1")
        let copy = fields
        fields.set("A", "2")
        #expect(copy["a"] == "1")
        #expect(fields["a"] == "2")
    }

    @Test(arguments: ["", "A B", "A:", "A\r\nB", "A\n", "Ä", "A\u{0}", "(A)", "A/B", "A\"", " A"])
    func dropsIllegalNames(_ name: String) {
        var fields = HTTPFields()
        let result1 = fields.add(name, "x")
        #expect(!result1)
        #expect(fields.isEmpty)
    }

    @Test(arguments: ["a\r\nB: c", "a\n", "\r", "a\u{0}", "\u{1B}[0m", "a\u{7F}b", "a\u{1}b", "01234567\n"])
    func dropsIllegalValues(_ value: String) {
        var fields = HTTPFields()
        let result2 = fields.add("A", value)
        #expect(!result2)
        let result3 = fields.set("A", value)
        #expect(!result3)
        #expect(fields.isEmpty)
    }

    @Test func takesLegalValuesWithoutTheBlanksAround() {
        var fields = HTTPFields()
        let result4 = fields.add("A", " \tb\tc  ")
        #expect(result4)
        let result5 = fields.add("B", "")
        #expect(result5)
        let result6 = fields.add("C", "käse")
        #expect(result6)
        let result7 = fields.add("D", 1_234_567)
        #expect(result7)
        let result8 = fields.add("E", Int.min)
        #expect(result8)
        let result9 = fields.add("F", 0)
        #expect(result9)
        #expect(
            list(fields) == ["A: b\tc", "B: ", "C: käse", "D: 1234567", "E: -9223372036854775808", "F: 0"])
    }

    @Test func boundsOneField() {
        var fields = HTTPFields()
        let result10 = fields.add("A", String(repeating: "a", count: HTTPFields.maxPartBytes))
        #expect(result10)
        let result11 = fields.add("A", String(repeating: "a", count: HTTPFields.maxPartBytes + 1))
        #expect(!result11)
        let result12 = fields.add(String(repeating: "a", count: HTTPFields.maxPartBytes + 1), "a")
        #expect(!result12)
    }

    @Test func passesOnWhatTheClosureKeeps() {
        var fields = HTTPFields()
        fields.add("X-A", "1")
        fields.add("Y", "2")
        fields.add("x-B", "3")
        fields.add("X-Ab", "4")
        fields.add("Z", "5")
        #expect(list(fields.passedOn { !$0.isName(beginningWith: "x-") }) == ["Y: 2", "Z: 5"])
        #expect(list(fields.passedOn { !$0.isName("x-b") }) == ["X-A: 1", "Y: 2", "X-Ab: 4", "Z: 5"])
        #expect(fields.passedOn { _ in false }.isEmpty)
        #expect(fields.passedOn(spareFields: 4, spareBytes: 100) == fields)
    }

    @Test func removesWhatIsOfOneHop() throws {
        var fields = try #require(
            try parseRequest(
                get(
                    "Connection: x-secret, Keep-Alive", "X-Secret: 1", "Keep-Alive: 5", "Upgrade: h2c", "TE: trailers",
                    "A: b", "connection:, ,a-b ,x-secret", "X-SECRET: 2", "A-B: c", "Proxy-Connection: x",
                    "Proxy-Authenticate: x", "Proxy-Authorization: x", "Trailer: x", "C: d"))
        )
        .fields
        fields.removeHopByHop()
        #expect(list(fields) == ["Host: x", "A: b", "C: d"])
        fields.add("E", "f")
        #expect(list(fields) == ["Host: x", "A: b", "C: d", "E: f"])
    }

    @Test func addsOnlyWhatIsMissing() {
        var defaults = HTTPFields()
        defaults.add("A", "1")
        defaults.add("B", "2")
        var fields = HTTPFields()
        fields.addMissing(defaults)
        #expect(list(fields) == ["A: 1", "B: 2"])
        var own = HTTPFields()
        own.add("b", "9")
        own.addMissing(defaults)
        own.add("C", "3")
        #expect(list(own) == ["b: 9", "A: 1", "C: 3"])
        own.removeAll()
        #expect(own.isEmpty && own.byteCount == 0)
        own.addMissing(defaults)
        #expect(own["b"] == "2")
    }

    @Test func parsedFieldsCanBeChanged() throws {
        var fields = try #require(try parseRequest(get("A:   b  ", "C: d", "E: f"))).fields
        fields.remove("c")
        fields.add("G", "h")
        fields.set("a", "i")
        #expect(list(fields) == ["Host: x", "E: f", "G: h", "a: i"])
    }

    /// Against a plain list of pairs, over many random changes.
    @Test func behavesLikeAList() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            var fields = HTTPFields()
            var model: [(name: String, value: String)] = []
            for _ in 0..<30 {
                let name = ["a", "B", "cc", "Ab"].randomElement(using: &random) ?? "a"
                let value = String(repeating: "v", count: Int.random(in: 0...20, using: &random))
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2:
                    fields.add(name.uppercased(), value)
                    model.append((name.uppercased(), value))
                case 3:
                    fields.set(name, value)
                    model.removeAll { $0.name.lowercased() == name.lowercased() }
                    model.append((name, value))
                case 4:
                    fields.remove(name)
                    model.removeAll { $0.name.lowercased() == name.lowercased() }
                default:
                    fields = fields.passedOn { $0.count != name.utf8.count }
                    model.removeAll { $0.name.utf8.count == name.utf8.count }
                }
            }
            #expect(list(fields) == model.map { "\($0.name): \($0.value)" })
            #expect(fields.byteCount == model.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 })
        }
    }

    @Test func givesBytesWithoutText() {
        var fields = HTTPFields()
        fields.add("A", "b")
        _ = [0x64, 0xFF].withUnsafeBufferPointer { fields.add("C", bytes: $0) }
        var seen: [[UInt8]] = []
        fields.forEachBytes { name, value in seen.append(Array(name) + [0] + Array(value)) }
        #expect(seen == [[0x41, 0, 0x62], [0x43, 0, 0x64, 0xFF]])
    }

    @Test func comparesNamesWithoutCase() {
        var a = HTTPFields()
        a.add("A", "1")
        var b = HTTPFields()
        b.add("a", "1")
        #expect(a == b)
        b.set("a", "2")
        #expect(a != b)
    }
}
