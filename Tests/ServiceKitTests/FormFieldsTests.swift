import HTTPCodec
import Testing

@testable import ServiceKit

@Suite struct FormFieldsTests {
    @Test func formsAreDecoded() throws {
        let fields = try FormFields.parse(Array("username=mira&password=a%2Bb+c%26d%3D%C3%A9&empty=&flag".utf8))
        #expect(fields == ["username": "mira", "password": "a+b c&d=é", "empty": "", "flag": ""])
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "a=1&a=2", "%61=1&a=2"])
    func malformedAndAmbiguousFormsAreRefused(_ text: String) {
        #expect(throws: HTTPError.self) { try FormFields.parse(Array(text.utf8)) }
    }

    @Test func tooManyFieldsAreRefused() {
        let text = (0...FormFields.maxFields).map { "f\($0)=1" }.joined(separator: "&")
        #expect(throws: HTTPError.self) { try FormFields.parse(Array(text.utf8)) }
    }

    @Test func everyTextSurvivesEncodingAndDecoding() throws {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...24, using: &random)
            let scalars = (0..<count).map { _ in SeededGenerator.scalar(using: &random) }
            let text = String(String.UnicodeScalarView(scalars))
            let encoded = PercentEncoding.encode(text)
            #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(PercentEncoding.decode(encoded, plusIsSpace: false) == text)
            #expect(PercentEncoding.decode(encoded, plusIsSpace: true) == text)
            let fields = try FormFields.parse(Array("a=1&\(encoded)x=\(encoded)".utf8))
            #expect(fields["\(text)x"] == text)
            #expect(FormFields.value(of: "\(text)x", in: "q=&\(encoded)x=\(encoded)") == text)
        }
    }

    @Test func anyBytesAreDecodedOrRefusedWithoutHarm() {
        var random = SeededGenerator(seed: 7)
        let alphabet = Array("%+=&0123456789abcdefABCDEFghz \u{7F}é".utf8)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random)!
            }
            guard let fields = try? FormFields.parse(bytes) else { continue }
            for (name, value) in fields {
                #expect(!name.utf8.contains(0))
                #expect(!value.utf8.contains(0))
            }
        }
    }
}

/// A generator whose sequence is the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Any character but NUL, most of them small.
    static func scalar(using random: inout SeededGenerator) -> Unicode.Scalar {
        while true {
            let limit: UInt32 = Bool.random(using: &random) ? 0x7F : 0x10FFFF
            if let scalar = Unicode.Scalar(UInt32.random(in: 1...limit, using: &random)) { return scalar }
        }
    }
}
