import Security
import Testing

private let secret = "0123456789abcdef0123456789abcdef"

@Suite struct IdentitySignerTests {
    private let signer = IdentitySigner(secret: secret)
    private let identity = Identity(userID: "u1", username: "ann", roles: ["user", "manager"], companyID: "c1")

    @Test func holdsForAMinute() throws {
        let text = signer.sign(identity, now: 1000)
        #expect(try signer.verify(text, now: 1060) == identity)
        #expect(throws: TokenError.expired) { try signer.verify(text, now: 1066) }
        #expect(throws: TokenError.notYetValid) { try signer.verify(text, now: 900) }
    }

    @Test func aRememberedOneStillExpires() throws {
        let text = signer.sign(identity, now: 1000)
        for _ in 0..<2 { #expect(try signer.verify(text, now: 1000) == identity) }
        #expect(throws: TokenError.expired) { try signer.verify(text, now: 1066) }
    }

    @Test func anyNameSurvives() throws {
        let odd = Identity(userID: "u\"1", username: "Анна\r\nX: y", roles: [])
        let text = signer.sign(odd, now: 1000)
        #expect(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        #expect(try signer.verify(text, now: 1000) == odd)
    }

    @Test func damageIsRefused() {
        let text = signer.sign(identity, now: 1000)
        for cut in 1...text.count {
            #expect(throws: TokenError.self) { try signer.verify(String(text.dropLast(cut)), now: 1000) }
        }
        for extra in ["=", " ", ".", "A"] {
            #expect(throws: TokenError.self) { try signer.verify(text + extra, now: 1000) }
        }
    }

    @Test func aForgedOneIsRefused() {
        let text = signer.sign(identity, now: 1000)
        let admin = Crypto.base64URLEncode(Array(#"{"i":{"u":"u1","n":"ann","r":["admin"]},"e":1060}"#.utf8))
        let signature = text.split(separator: ".")[1]
        #expect(throws: TokenError.badSignature) { try signer.verify("\(admin).\(signature)", now: 1000) }
        #expect(throws: TokenError.malformed) { try signer.verify("nonsense", now: 1000) }
        // The key is derived: a plain HMAC with the same secret is worth nothing.
        let plain = Crypto.base64URLEncode(Crypto.hmacSHA256(key: Array(secret.utf8), Array(admin.utf8)))
        #expect(throws: TokenError.badSignature) { try signer.verify("\(admin).\(plain)", now: 1000) }
    }
}
