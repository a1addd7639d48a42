/// Signs an identity for one hop inside the platform, valid for a minute (HMAC-SHA256): `base64url(JSON).base64url(MAC)`.
/// Copies share one cache of what was verified lately.
package struct IdentitySigner: Sendable {
    package static let header = "x-vitrine-identity"
    /// Seconds that a signature is good for.
    package static let lifetimeSeconds: Int64 = 60
    /// Clocks of the platform's machines may differ by so much.
    private static let leewaySeconds: Int64 = 5
    private static let maxBytes = 4 * 1024
    /// Callers whose signed identity is remembered.
    private static let cachedIdentities = 10_000
    private static let dot = UInt8(ascii: ".")
    /// The key is derived for this one use, so that a signature made for another purpose is worth nothing here.
    private static let purpose = Array("vitrine identity v1".utf8)

    private let key: HMACKey
    private let verified = VerifiedCache<Verified>(capacity: cachedIdentities)

    private struct Verified: Sendable {
        let identity: Identity
        let expires: Int64
    }

    /// - Parameter secret: 32 bytes or more. Traps on less: configuration has checked it.
    package init(secret: String) {
        precondition(secret.utf8.count >= 32, "the identity secret must have at least 32 bytes")
        key = HMACKey(Crypto.hmacSHA256(key: Array(secret.utf8), Self.purpose))
    }

    /// - Parameter now: seconds since 1970.
    package func sign(_ identity: Identity, now: Int64) -> String {
        var json: [UInt8] = []
        json.reserveCapacity(256)
        json += Array(#"{"u":"#.utf8)
        StrictJSON.append(identity.userID, to: &json)
        json += Array(#","n":"#.utf8)
        StrictJSON.append(identity.username, to: &json)
        json += Array(#","r":"#.utf8)
        StrictJSON.append(identity.roles, to: &json)
        if let company = identity.companyID {
            json += Array(#","c":"#.utf8)
            StrictJSON.append(company, to: &json)
        }
        json += Array(#","e":\#(now + Self.lifetimeSeconds)}"#.utf8)
        var text = Base64URL.encodeBytes(json)
        let signature = key.authenticationCode(text)
        text.append(Self.dot)
        text += Base64URL.encodeBytes(signature)
        return String(decoding: text, as: UTF8.self)
    }

    /// - Parameter now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func verify(_ text: String, now: Int64) throws(TokenError) -> Identity {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { bytes throws(TokenError) in try verify(bytes, now: now) }
    }

    /// - Parameters: text: the characters of a signed identity. - now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func verify(_ bytes: UnsafeBufferPointer<UInt8>, now: Int64) throws(TokenError) -> Identity {
        guard bytes.count <= Self.maxBytes else { throw .malformed }
        let text = SignedText(bytes)
        if let known = verified[text] {
            do throws(TokenError) {
                try Self.checkTimes(known, now)
            } catch {
                verified.remove(text)
                throw error
            }
            return known.identity
        }
        let read = try verifyAnew(text.bytes)
        try Self.checkTimes(read, now)
        verified.insert(read, for: text)
        return read.identity
    }

    private static func checkTimes(_ signed: Verified, _ now: Int64) throws(TokenError) {
        guard signed.expires > now - leewaySeconds else { throw .expired }
        guard signed.expires <= now + lifetimeSeconds + leewaySeconds else { throw .notYetValid }
    }

    private func verifyAnew(_ text: [UInt8]) throws(TokenError) -> Verified {
        let parts = text.split(separator: Self.dot, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 2, let signature = Base64URL.decode(parts[1]) else { throw .malformed }
        let expected = text.withUnsafeBufferPointer { bytes in
            key.authenticationCode(UnsafeBufferPointer(rebasing: bytes[..<parts[0].endIndex]))
        }
        guard Crypto.constantTimeEquals(signature, expected) else { throw .badSignature }
        guard let bytes = Base64URL.decode(parts[0]), let members = StrictJSON(bytes)?.object,
            let user = members["u"]?.string, let name = members["n"]?.string, let roles = members["r"]?.strings,
            let expires = members["e"]?.integer
        else { throw .malformed }
        var company: String?
        if let value = members["c"] {
            guard let text = value.string else { throw .malformed }
            company = text
        }
        return Verified(
            identity: Identity(userID: user, username: name, roles: roles, companyID: company), expires: expires)
    }
}
