import Security
import Testing

private let secret = "0123456789abcdef0123456789abcdef"
private let claims = AccessTokenClaims(
    subject: "u1", username: "ann", roles: ["user"], companyID: nil, issuedAt: 1000, expiresAt: 1900, tokenID: "t1")

@Suite struct TokenSignerTests {
    private let signer = TokenSigner(secret: secret)

    @Test func whatWasSignedIsVerified() throws {
        #expect(try signer.verify(signer.sign(claims), now: 1500) == claims)
    }

    @Test func timesAreChecked() {
        let token = signer.sign(claims)
        #expect(throws: TokenError.expired) { try signer.verify(token, now: 1930) }
        #expect(throws: Never.self) { try signer.verify(token, now: 1929) }
        #expect(throws: TokenError.notYetValid) { try signer.verify(token, now: 969) }
        #expect(throws: Never.self) { try signer.verify(token, now: 970) }
    }

    @Test func anotherAudienceIssuerOrSecretIsRefused() {
        let token = signer.sign(claims)
        #expect(throws: TokenError.wrongAudience) {
            try TokenSigner(secret: secret, audience: "x").verify(token, now: 1500)
        }
        #expect(throws: TokenError.wrongIssuer) {
            try TokenSigner(secret: secret, issuer: "x").verify(token, now: 1500)
        }
        let other = TokenSigner(secret: String(secret.reversed()))
        #expect(throws: TokenError.badSignature) { try other.verify(token, now: 1500) }
    }

    @Test(arguments: [
        #"{"alg":"none","typ":"JWT"}"#, #"{"alg":"RS256","typ":"JWT"}"#, #"{"alg":"HS512"}"#,
        #"{"alg":"HS256","crit":["b64"]}"#, #"{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}"#,
        #"{"alg":"HS256","typ":"JWT","jku":"http://evil.example/keys"}"#, #"{"alg":"hs256","typ":"JWT"}"#,
        #"{"alg":"HS256","typ":"refresh"}"#, #"{"alg":"HS256"}"#, #"{"alg":["HS256"],"typ":"JWT"}"#,
    ])
    func otherAlgorithmsAreRefused(_ header: String) {
        let parts = signer.sign(claims).split(separator: ".")
        let forged = Crypto.base64URLEncode(Array(header.utf8)) + "." + parts[1]
        let signature = Crypto.base64URLEncode(Crypto.hmacSHA256(key: Array(secret.utf8), Array(forged.utf8)))
        for end in [signature, ""] {
            #expect(throws: TokenError.unsupportedAlgorithm) { try signer.verify("\(forged).\(end)", now: 1500) }
        }
    }

    @Test func damageIsRefused() {
        let token = signer.sign(claims)
        for cut in 1..<token.count {
            #expect(throws: TokenError.self) { try signer.verify(String(token.dropLast(cut)), now: 1500) }
        }
        // The signature's last character carries two bits that mean nothing: only one spelling of four is right.
        let last = token.last.map(String.init) ?? ""
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" where String(other) != last {
            #expect(throws: TokenError.self) { try signer.verify(token.dropLast() + String(other), now: 1500) }
        }
        for extra in ["=", " ", ".", "A"] {
            #expect(throws: TokenError.self) { try signer.verify(token + extra, now: 1500) }
        }
        #expect(throws: TokenError.malformed) { try signer.verify(String(repeating: "a", count: 9000), now: 1500) }
    }

    @Test func aHeaderInAnotherSpellingIsAccepted() throws {
        let payload = signer.sign(claims).split(separator: ".")[1]
        let token = sealed(header: #"{ "typ" : "JWT", "alg" : "HS256" }"#, payload: String(payload))
        #expect(try signer.verify(token, now: 1500) == claims)
    }

    @Test(arguments: [
        #"{"alg":"HS256","alg":"none","typ":"JWT"}"#, #"["HS256"]"#, "", "null", #"{"alg":"HS256","typ":"JWT"}x"#,
    ])
    func aHeaderThatIsNoObjectIsRefused(_ header: String) {
        let token = sealed(header: header, payload: Crypto.base64URLEncode(Array(whole.utf8)))
        #expect(throws: TokenError.malformed) { try signer.verify(token, now: 1500) }
    }

    @Test func theClaimsOfOthersAreRead() throws {
        #expect(try signer.verify(sealed(whole), now: 1500) == claims)
        let several = whole.replacing(#""aud":"vitrine""#, with: #""aud":["other","vitrine"]"#)
        #expect(try signer.verify(sealed(several), now: 1500) == claims)
    }

    @Test(arguments: [
        (#""iss":"vitrine","#, ""), (#""aud":"vitrine","#, ""), (#""sub":"u1","#, ""), (#""exp":1900,"#, ""),
        (#""nbf":1000,"#, ""), (#""iat":1000,"#, ""), (#""jti":"t1","#, ""), (#""name":"ann","#, ""),
        (#","roles":["user"]"#, ""), (#""sub":"u1""#, #""sub":"""#), (#""jti":"t1""#, #""jti":"""#),
        (#""exp":1900"#, #""exp":"1900""#), (#""exp":1900"#, #""exp":1900.5"#), (#""exp":1900"#, #""exp":1e99"#),
        (#""exp":1900"#, #""exp":01900"#), (#""exp":1900"#, #""exp":99999999999999999999"#),
        (#""exp":1900"#, #""exp":null"#), (#""roles":["user"]"#, #""roles":"user""#),
        (#""roles":["user"]"#, #""roles":["user",1]"#), (#""sub":"u1""#, #""sub":"u1","sub":"u2""#),
        (#""sub":"u1""#, #""sub":"u1","s\u0075b":"u2""#), (#""sub":"u1""#, #""sub":"\ud800""#),
        (#""name":"ann""#, #""name":"ann","company":7"#), ("}", ",}"), ("}", ""), ("}", "}}"),
        (#""name":"ann""#, #""name":"ann","x":[[[[[[[[1]]]]]]]]"#), (#""name":"ann""#, "\"name\":\"a\nn\""),
    ])
    func aClaimThatIsMissingTwiceThereOrOfAnotherTypeIsRefused(_ part: String, _ other: String) {
        let changed = whole.replacing(part, with: other)
        #expect(changed != whole)
        #expect(throws: TokenError.malformed) { try signer.verify(sealed(changed), now: 1500) }
    }

    @Test func invalidUTF8IsRefused() {
        var bytes = Array(whole.utf8)
        bytes[bytes.count - 4] = 0xFF
        let token = sealed(header: #"{"alg":"HS256","typ":"JWT"}"#, payload: Crypto.base64URLEncode(bytes))
        #expect(throws: TokenError.malformed) { try signer.verify(token, now: 1500) }
    }

    @Test func extremeTimesDoNotTrap() {
        for time in [Int64.min, .max] {
            var forever = claims
            forever.expiresAt = time
            forever.issuedAt = time
            #expect(throws: TokenError.self) { try signer.verify(signer.sign(forever), now: 1500) }
        }
    }

    @Test func anyNameSurvives() throws {
        var odd = claims
        odd.username = "Анна \"q\" \\ \u{1} \n 👩‍👩‍👧 /"
        odd.roles = []
        odd.companyID = "c\t1"
        #expect(try signer.verify(signer.sign(odd), now: 1500) == odd)
    }

    @Test func aRememberedTokenStillExpires() {
        let token = signer.sign(claims)
        #expect(throws: Never.self) { try signer.verify(token, now: 1500) }
        #expect(throws: Never.self) { try signer.verify(token, now: 1500) }
        #expect(throws: TokenError.expired) { try signer.verify(token, now: 5000) }
        #expect(throws: TokenError.notYetValid) { try signer.verify(token, now: 0) }
    }

    @Test func aRememberedTokenLendsItsSignatureToNoOther() throws {
        let token = signer.sign(claims)
        _ = try signer.verify(token, now: 1500)
        let parts = token.split(separator: ".")
        let admin = Crypto.base64URLEncode(Array(whole.replacing("user", with: "admin").utf8))
        #expect(throws: TokenError.badSignature) {
            try signer.verify("\(parts[0]).\(admin).\(parts[2])", now: 1500)
        }
    }

    @Test func moreTokensThanAreRememberedAreVerifiedAllTheSame() throws {
        let small = TokenSigner(secret: secret, cachedTokens: 32)
        let tokens = (0..<500).map { number in
            var each = claims
            each.tokenID = "t\(number)"
            return small.sign(each)
        }
        for _ in 0..<2 {
            for (number, token) in tokens.enumerated() {
                #expect(try small.verify(token, now: 1500).tokenID == "t\(number)")
            }
        }
    }

    /// A payload with every claim.
    private let whole =
        #"{"iss":"vitrine","aud":"vitrine","sub":"u1","exp":1900,"nbf":1000,"iat":1000,"jti":"t1","name":"ann","roles":["user"]}"#

    private func sealed(_ payload: String) -> String {
        sealed(header: #"{"alg":"HS256","typ":"JWT"}"#, payload: Crypto.base64URLEncode(Array(payload.utf8)))
    }

    /// Signed with the right secret, whatever it says.
    private func sealed(header: String, payload: String) -> String {
        let signed = Crypto.base64URLEncode(Array(header.utf8)) + "." + payload
        return signed + "."
            + Crypto.base64URLEncode(Crypto.hmacSHA256(key: Array(secret.utf8), Array(signed.utf8)))
    }

    /// RFC 7515, appendix A.1.
    @Test func theSignatureIsThatOfTheStandard() throws {
        let key = try #require(
            Crypto.base64URLDecode(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let signed =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        #expect(
            Crypto.base64URLEncode(Crypto.hmacSHA256(key: key, Array(signed.utf8)))
                == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    }
}
