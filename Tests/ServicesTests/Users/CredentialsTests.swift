import Testing

@testable import Users

@Suite struct CredentialsTests {
    @Test(arguments: ["ann@example.org", "a.b+c@sub.example.co", "x@y.zz"])
    func addressesAreTaken(_ text: String) { #expect(Credentials.isEmail(text)) }

    @Test(arguments: [
        "", "ann", "@example.org", "ann@", "ann@example", "a@b@c.org", "ann @example.org", "ann@exa mple.org",
        "ann@-example.org", "ann@example..org", "ann@example.org\r\nBcc: x@y.zz", "ann@example.org\u{0}",
        "анна@example.org", "<ann@example.org>", String(repeating: "a", count: 65) + "@example.org",
    ])
    func otherTextsAreNoAddresses(_ text: String) { #expect(!Credentials.isEmail(text)) }

    @Test(arguments: ["Secret12", "ПАРОЛЬ Aa1 ещё"])
    func goodPasswordsAreTaken(_ text: String) { #expect(Credentials.weakness(ofPassword: text) == nil) }

    @Test(arguments: [
        ("Short1", "8 characters"), ("lowercase1", "upper-case"), ("UPPERCASE1", "lower-case"), ("NoDigits", "digit"),
        (String(repeating: "Aa1", count: 25), "72 bytes"), ("Secret12\u{0}", "NUL"),
    ])
    func weakPasswordsAreNamed(_ text: String, _ reason: String) throws {
        #expect(try #require(Credentials.weakness(ofPassword: text)).contains(reason))
    }

    @Test func whatEndsEarlyInTheDatabaseIsNoLogin() {
        #expect(Credentials.isLogin("ann@example.org"))
        for text in ["", "ann\u{0}", "ann b", "ann\n", String(repeating: "a", count: 255)] {
            #expect(!Credentials.isLogin(text))
        }
    }
}

@Suite struct LoginThrottleTests {
    @Test func oneAddressIsSlowedDownForOneAccountOnly() {
        let throttle = LoginThrottle(attemptsPerMinute: 3)
        for _ in 0..<3 { #expect(throttle.refusal(login: "ann", address: "10.0.0.1") == nil) }
        #expect((throttle.refusal(login: "ann", address: "10.0.0.1") ?? 0) >= 1)
        #expect(throttle.refusal(login: "ANN", address: "10.0.0.1") != nil)
        #expect(throttle.refusal(login: "ann", address: "10.0.0.2") == nil)
        #expect(throttle.refusal(login: "bob", address: "10.0.0.1") == nil)
    }

    @Test func manyAddressesDoNotGiveManyGuesses() {
        let throttle = LoginThrottle(attemptsPerMinute: 3)
        let admitted = (0..<100).filter { throttle.refusal(login: "ann", address: "10.0.1.\($0)") == nil }
        #expect(admitted.count == 30)
    }
}
