/// Signs and verifies access tokens (RFC 7519 as RFC 8725 wants it): HS256 only, pinned; `typ, iss, aud, sub, exp, nbf,
/// iat, jti` checked, each required. Copies share one cache of tokens that were verified lately.
package struct TokenSigner: Sendable {
    private let key: HMACKey
    private let issuer: String
    private let audience: String
    private let leewaySeconds: Int64
    private let verified: VerifiedCache<Verified>

    /// An object, so that finding it copies nothing.
    private final class Verified: Sendable {
        let claims: AccessTokenClaims
        let identity: Identity
        let notBefore: Int64

        init(_ claims: AccessTokenClaims, notBefore: Int64) {
            self.claims = claims
            self.notBefore = notBefore
            identity = claims.identity
        }
    }

    /// The header that is made here, and compared as text first.
    private static let header = Base64URL.encodeBytes(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8))
    private static let maxBytes = 8 * 1024
    private static let dot = UInt8(ascii: ".")

    /// - Parameters:
    ///   - secret: 32 bytes or more. Traps on less: configuration has checked it.
    ///   - cachedTokens: verified tokens that are remembered; the oldest are forgotten.
    package init(
        secret: String, issuer: String = "vitrine", audience: String = "vitrine", leewaySeconds: Int64 = 30,
        cachedTokens: Int = 10_000
    ) {
        precondition(secret.utf8.count >= 32, "the token secret must have at least 32 bytes")
        key = HMACKey(Array(secret.utf8))
        self.issuer = issuer
        self.audience = audience
        self.leewaySeconds = leewaySeconds
        verified = VerifiedCache(capacity: cachedTokens)
    }

    /// The compact form (RFC 7515, section 3.1).
    package func sign(_ claims: AccessTokenClaims) -> String {
        var json: [UInt8] = []
        json.reserveCapacity(512)
        func member(_ name: StaticString, _ write: (inout [UInt8]) -> Void) {
            json.append(json.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            json += Array("\"\(name)\":".utf8)
            write(&json)
        }
        member("iss") { StrictJSON.append(issuer, to: &$0) }
        member("aud") { StrictJSON.append(audience, to: &$0) }
        member("sub") { StrictJSON.append(claims.subject, to: &$0) }
        member("exp") { $0 += Array("\(claims.expiresAt)".utf8) }
        member("nbf") { $0 += Array("\(claims.issuedAt)".utf8) }
        member("iat") { $0 += Array("\(claims.issuedAt)".utf8) }
        member("jti") { StrictJSON.append(claims.tokenID, to: &$0) }
        member("name") { StrictJSON.append(claims.username, to: &$0) }
        member("roles") { StrictJSON.append(claims.roles, to: &$0) }
        if let company = claims.companyID { member("company") { StrictJSON.append(company, to: &$0) } }
        json.append(UInt8(ascii: "}"))
        var text = Self.header + [Self.dot] + Base64URL.encodeBytes(json)
        let signature = key.authenticationCode(text)
        text.append(Self.dot)
        text += Base64URL.encodeBytes(signature)
        return String(decoding: text, as: UTF8.self)
    }

    /// - Parameter now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func verify(_ token: String, now: Int64) throws(TokenError) -> AccessTokenClaims {
        let bytes = Array(token.utf8)
        return try bytes.withUnsafeBufferPointer { bytes throws(TokenError) in try check(bytes, now) }.claims
    }

    /// Who a token speaks for.
    /// - Parameters: token: its characters. - now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func identity(
        bearing token: UnsafeBufferPointer<UInt8>, now: Int64
    ) throws(TokenError) -> Identity {
        try check(token, now).identity
    }

    private func check(_ token: UnsafeBufferPointer<UInt8>, _ now: Int64) throws(TokenError) -> Verified {
        guard token.count <= Self.maxBytes else { throw .malformed }
        let text = SignedText(token)
        if let known = verified[text] {
            do throws(TokenError) {
                try checkTimes(known, now)
            } catch {
                verified.remove(text)
                throw error
            }
            return known
        }
        let read = try verifyAnew(text.bytes)
        try checkTimes(read, now)
        verified.insert(read, for: text)
        return read
    }

    private func checkTimes(_ token: Verified, _ now: Int64) throws(TokenError) {
        // Forged numbers must not overflow: the sums are taken of `now`, which is ours.
        guard token.claims.expiresAt > now - leewaySeconds else { throw .expired }
        guard token.notBefore <= now + leewaySeconds, token.claims.issuedAt <= now + leewaySeconds else {
            throw .notYetValid
        }
    }

    /// Everything but the times. The signature comes before the payload is so much as looked at.
    private func verifyAnew(_ token: [UInt8]) throws(TokenError) -> Verified {
        let parts = token.split(separator: Self.dot, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed }
        if !parts[0].elementsEqual(Self.header) { try Self.check(header: parts[0]) }
        guard let signature = Base64URL.decode(parts[2]) else { throw .malformed }
        let expected = token.withUnsafeBufferPointer { bytes in
            key.authenticationCode(UnsafeBufferPointer(rebasing: bytes[..<parts[1].endIndex]))
        }
        guard Crypto.constantTimeEquals(signature, expected) else { throw .badSignature }
        guard let bytes = Base64URL.decode(parts[1]), let payload = StrictJSON(bytes)?.object else { throw .malformed }
        return try read(payload)
    }

    private func read(_ payload: [String: StrictJSON]) throws(TokenError) -> Verified {
        guard payload["iss"]?.string == issuer else { throw payload["iss"] == nil ? .malformed : .wrongIssuer }
        guard let audiences = payload["aud"] else { throw .malformed }
        guard audiences.string == audience || audiences.strings?.contains(audience) == true else {
            throw .wrongAudience
        }
        guard let subject = payload["sub"]?.string, !subject.isEmpty, let id = payload["jti"]?.string, !id.isEmpty,
            let expires = payload["exp"]?.integer, let notBefore = payload["nbf"]?.integer,
            let issued = payload["iat"]?.integer, let name = payload["name"]?.string,
            let roles = payload["roles"]?.strings
        else { throw .malformed }
        var company: String?
        if let value = payload["company"], value != .null {
            guard let text = value.string else { throw .malformed }
            company = text
        }
        return Verified(
            AccessTokenClaims(
                subject: subject, username: name, roles: roles, companyID: company, issuedAt: issued,
                expiresAt: expires, tokenID: id),
            notBefore: notBefore)
    }

    /// The same header in another spelling, as other libraries write it. Nothing but `alg` and `typ` may stand in it:
    /// whoever names a key (`kid`, `jwk`, `jku`) or wants more understood (`crit`) is refused.
    private static func check(header: ArraySlice<UInt8>) throws(TokenError) {
        guard let bytes = Base64URL.decode(header), let members = StrictJSON(bytes)?.object else { throw .malformed }
        guard members.count == 2, members["alg"]?.string == "HS256",
            members["typ"]?.string?.uppercased() == "JWT"
        else { throw .unsupportedAlgorithm }
    }
}
