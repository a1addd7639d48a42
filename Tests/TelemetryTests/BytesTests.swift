import Telemetry
import Testing

@Suite struct BytesTests {
    private func text(_ write: (inout ByteBuffer) -> Void) -> String {
        // As small as it gets: every write has to make room.
        var buffer = ByteBuffer(capacity: 16)
        write(&buffer)
        return buffer.string()
    }

    @Test func decimalsOfEveryLengthAreExact() {
        var bounds: [UInt64] = [0, .max, .max - 1]
        var power: UInt64 = 1
        for _ in 0..<19 {
            power *= 10
            bounds += [power - 1, power, power + 1]
        }
        for value in bounds { #expect(text { $0.appendDecimal(value) } == "\(value)") }
        for value in [Int.min, .max, 0, -1, -99_999_999, -100_000_000] {
            #expect(text { $0.appendDecimal(value) } == "\(value)")
        }
        var random = SystemRandomNumberGenerator()
        for shift in 0..<64 as Range<UInt64> {
            for _ in 0..<200 {
                let value: UInt64 = random.next() >> shift
                let written = text { $0.appendDecimal(value) }
                if written != "\(value)" { Issue.record("\(value) was written as \(written)") }
            }
        }
        for value in 0..<100_000 as Range<UInt64> where text({ $0.appendDecimal(value) }) != "\(value)" {
            Issue.record("\(value)")
        }
    }

    @Test func decimalsFollowEachOther() {
        #expect(text { for value in 0..<40 { $0.appendDecimal(value) } } == (0..<40).map(String.init).joined())
    }

    /// An escaper of the obvious kind.
    private func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            case "\r": "\\r"
            case "\t": "\\t"
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{200E}"..."\u{200F}", "\u{2028}"..."\u{202E}",
                "\u{2066}"..."\u{2069}", "\u{FEFF}":
                "\\u" + String(repeating: "0", count: 4 - String(scalar.value, radix: 16).count)
                    + String(scalar.value, radix: 16)
            default: String(scalar)
            }
        }.joined()
    }

    @Test func everySpecialCharacterIsFoundAtEveryPlace() {
        let specials: [Character] = [
            "\0", "\u{1F}", " ", "!", "\"", "#", "[", "\\", "]", "~", "\u{7F}", "\u{80}", "\u{9F}", "\u{A0}", "é", "漢",
            "😀", "\u{2028}", "\u{FEFF}", "\n",
        ]
        for length in 0..<28 {
            for place in 0...length {
                for special in specials {
                    let plain = String(repeating: "a", count: length)
                    let source = plain.prefix(place) + String(special) + plain.dropFirst(place)
                    let written = text { $0.appendJSONEscaped(String(source)) }
                    if written != escaped(String(source)) { Issue.record("\(source.debugDescription): \(written)") }
                }
            }
        }
    }

    @Test func randomTextIsEscapedAsByTheObviousEscaper() {
        let alphabet: [Character] = ["a", "b", " ", "\"", "\\", "\n", "\u{1}", "é", "\u{85}", "\u{202E}", "😀", "7"]
        for length in 0..<400 {
            let source = String((0..<length).map { _ in alphabet.randomElement() ?? "a" })
            #expect(text { $0.appendJSONEscaped(source) } == escaped(source))
        }
    }

    @Test(arguments: 0..<12)
    func cutTextEndsWithAWholeCharacter(limit: Int) {
        let written = text { $0.appendJSONEscaped("aé漢😀b", limit: limit) }
        #expect(["…", "a…", "aé…", "aé漢…", "aé漢😀…", "aé漢😀b"].contains(written))
        #expect(written.utf8.count <= limit + 3)
    }
}
