import Testing

@testable import ServiceKit

@Suite struct JSONValidatorTests {
    private typealias Reason = JSONSyntaxError.Reason

    @Test(arguments: [
        "{}", "[]", "0", "-0", "-0.0e-10", "1E+308", "\"\"", "true", "false", "null", " \t\r\n{ } ",
        #"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, #"["\u0041\ud83d\ude00\"\\\/\b\f\n\r\t"]"#, "\"é😀\u{2028}\"",
        "12345678901234567890123456789012",
    ])
    func wellFormedTextPasses(_ text: String) {
        #expect(throws: Never.self) { try JSONValidator.validate(Array(text.utf8)) }
    }

    @Test(
        arguments: [
            ("", .empty, 0), ("  \n", .empty, 3), ("\u{FEFF}{}", .byteOrderMark, 0),
            ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("\"a", .unexpectedEnd, 2), ("tru", .unexpectedEnd, 3),
            ("{}x", .trailing, 2), ("{} {}", .trailing, 3), ("1 2", .trailing, 2), ("01", .number, 0),
            ("-", .number, 0),
            ("1.", .number, 0), (".5", .unexpected, 0), ("+1", .unexpected, 0), ("1e", .number, 0),
            ("0x10", .trailing, 1),
            ("NaN", .unexpected, 0), ("Infinity", .unexpected, 0), ("-Infinity", .number, 0),
            ("nul", .unexpectedEnd, 3),
            ("True", .unexpected, 0), ("'a'", .unexpected, 0), ("[1,]", .unexpected, 3), ("[,1]", .unexpected, 1),
            (#"{"a":1,}"#, .unexpected, 7), (#"{a:1}"#, .unexpected, 1), (#"{"a" 1}"#, .unexpected, 5),
            (#"{"a":1 "b":2}"#, .unexpected, 7), ("[1}", .unexpected, 2), ("// x\n1", .unexpected, 0),
            (#"{"a":1,"a":2}"#, .duplicateKey, 7), (#"{"a":1,"\u0061":2}"#, .duplicateKey, 7),
            (#"{"\u0061":1,"a":2}"#, .duplicateKey, 12), (#"{"é":1,"\u00e9":2}"#, .duplicateKey, 8),
            (#"{"x":[{"k":1,"k":1}]}"#, .duplicateKey, 13),
            ("\"a\nb\"", .controlCharacter, 2), ("\"\u{1}\"", .controlCharacter, 1), (#""\x""#, .escape, 1),
            (#""\u12g4""#, .escape, 5), (#""\ud800""#, .loneSurrogate, 1), (#""\udc00""#, .loneSurrogate, 1),
            (#""\ud800\u0041""#, .loneSurrogate, 1), (#""\ud800x""#, .loneSurrogate, 1), (#""a\u0000""#, .nul, 2),
            ("123456789012345678901234567890123", .tooManyDigits, 0), ("[1e9999]", .tooManyDigits, 1),
            ("0.12345678901234567890123456789012", .tooManyDigits, 0),
        ] as [(String, JSONSyntaxError.Reason, Int)])
    func malformedTextIsRefusedWithItsPlace(_ text: String, _ reason: JSONSyntaxError.Reason, _ offset: Int) {
        #expect(throws: JSONSyntaxError(reason, at: offset)) { try JSONValidator.validate(Array(text.utf8)) }
    }

    @Test(
        arguments: [
            ([0x22, 0xFF, 0x22], 1), ([0x22, 0xC0, 0x80, 0x22], 1), ([0x22, 0xED, 0xA0, 0x80, 0x22], 1),
            ([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], 1), ([0x22, 0x61, 0xE2, 0x82, 0x22], 2), ([0x80], 0),
        ] as [([UInt8], Int)])
    func whatIsNotUTF8IsRefused(_ bytes: [UInt8], _ offset: Int) {
        #expect(throws: JSONSyntaxError(.invalidUTF8, at: offset)) { try JSONValidator.validate(bytes) }
    }

    @Test func nestingIsBounded() {
        let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try JSONValidator.validate(Array(deepest.utf8)) }
        #expect(throws: JSONSyntaxError(.tooDeep, at: 64)) { try JSONValidator.validate(Array("[\(deepest)]".utf8)) }
        let objects = String(repeating: #"{"a":"#, count: 200_000)
        #expect(throws: JSONSyntaxError(.tooDeep, at: 64 * 5)) { try JSONValidator.validate(Array(objects.utf8)) }
    }

    @Test func keysOfTheOutermostObjectAreTold() throws {
        let keys = try JSONValidator.validate(Array(#"{"name":"x","\u0072ole":{"inner":1}}"#.utf8))
        #expect(keys == ["name", "role"])
        #expect(try JSONValidator.validate(Array("[1]".utf8)).isEmpty)
    }

    @Test func manyKeysAreComparedToo() {
        let many = (0..<5_000).map { #""key\#($0)":1"# }.joined(separator: ",")
        #expect(throws: Never.self) { try JSONValidator.validate(Array("{\(many)}".utf8)) }
        #expect(throws: JSONSyntaxError.self) { try JSONValidator.validate(Array(#"{\#(many),"key17":1}"#.utf8)) }
        #expect(throws: JSONSyntaxError.self) { try JSONValidator.validate(Array(#"{\#(many),"\u006bey17":1}"#.utf8)) }
    }
}
