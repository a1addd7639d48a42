import EventLoop
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
        #"{"alg":"HS256","crit":["b64"]}"#,
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
        for extra in ["=", " ", ".", "A"] {
            #expect(throws: TokenError.self) { try signer.verify(token + extra, now: 1500) }
        }
        #expect(throws: TokenError.malformed) { try signer.verify(String(repeating: "a", count: 9000), now: 1500) }
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

@Suite struct IdentitySignerTests {
    private let signer = IdentitySigner(secret: secret)
    private let identity = Identity(userID: "u1", username: "ann", roles: ["user", "manager"], companyID: "c1")

    @Test func holdsForAMinute() throws {
        let text = signer.sign(identity, now: 1000)
        #expect(try signer.verify(text, now: 1060) == identity)
        #expect(throws: TokenError.expired) { try signer.verify(text, now: 1066) }
        #expect(throws: TokenError.notYetValid) { try signer.verify(text, now: 900) }
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

@Suite struct PasswordHasherTests {
    @Test func onlyTheRightPasswordIsAccepted() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 4, workers: workers)
        let hash = try await hasher.hash("Correct1")
        #expect(hash.hasPrefix("$2b$04$"))
        #expect(try await hasher.verify("Correct1", against: hash))
        #expect(try await !hasher.verify("Correct2", against: hash))
        #expect(try await !hasher.verify("Correct1", against: nil))
        #expect(try await hasher.hash("Correct1") != hash)
    }

    /// Published with bcrypt (the `$2b$` form of a vector of the OpenBSD test suite).
    @Test func theHashIsThatOfOthers() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 5, workers: workers)
        let known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
        #expect(try await hasher.verify("U*U", against: known))
    }

    @Test func passwordsThatBcryptWouldCutAreRefused() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 4, workers: workers)
        for password in ["", String(repeating: "x", count: 73), "a\u{0}b"] {
            await #expect(throws: PasswordHasher.Failure.self) { _ = try await hasher.hash(password) }
        }
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
