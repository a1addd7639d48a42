import Security
import Testing

@Suite struct CryptoTests {
    /// RFC 4231, section 4: keys shorter and longer than a block of SHA-256.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacIsThatOfTheStandard(_ key: [UInt8], _ message: [UInt8], _ expected: String) {
        let code = Crypto.hmacSHA256(key: key, message)
        #expect(code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
    }

    /// FIPS 180-4, examples.
    @Test func sha256IsThatOfTheStandard() {
        #expect(
            Crypto.sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Crypto.sha256Hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func comparisonTellsContentAndLength() {
        #expect(Crypto.constantTimeEquals([1, 2], [1, 2]))
        #expect(Crypto.constantTimeEquals([], []))
        #expect(!Crypto.constantTimeEquals([1, 2], [1, 3]))
        #expect(!Crypto.constantTimeEquals([1, 2], [1, 2, 0]))
    }

    @Test func tokensDiffer() {
        let tokens = Set((0..<1000).map { _ in Crypto.randomToken(bytes: 32) })
        #expect(tokens.count == 1000)
        #expect(tokens.allSatisfy { $0.count == 43 })
    }
}

@Suite struct Base64URLTests {
    @Test func everyLengthComesBack() {
        for count in 0..<40 {
            let bytes = Crypto.randomBytes(count)
            #expect(Crypto.base64URLDecode(Crypto.base64URLEncode(bytes)) == bytes)
        }
    }

    @Test(arguments: ["A", "AB==", "A B", "AB\n", "A+", "A/", "AB"])
    func otherSpellingsAreRefused(_ text: String) { #expect(Crypto.base64URLDecode(text) == nil) }
}
