internal import FoundationEssentials

/// Signs and verifies access tokens (RFC 7519): HS256 only, pinned; `iss, aud, sub, exp, nbf, iat, jti` checked.
package struct TokenSigner: Sendable {
    private let key: [UInt8]
    private let issuer: String
    private let audience: String
    private let leewaySeconds: Int64

    /// The one header that is ever made or accepted, compared as text: no other algorithm can be asked for.
    private static let header = Base64URL.encode(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8))
    private static let maxBytes = 8 * 1024

    /// - Parameter secret: 32 bytes or more. Traps on less: configuration has checked it.
    package init(secret: String, issuer: String = "vitrine", audience: String = "vitrine", leewaySeconds: Int64 = 30) {
        precondition(secret.utf8.count >= 32, "the token secret must have at least 32 bytes")
        key = Array(secret.utf8)
        self.issuer = issuer
        self.audience = audience
        self.leewaySeconds = leewaySeconds
    }

    private struct Payload: Codable {
        var iss: String
        var aud: String
        var sub: String
        var exp: Int64
        var nbf: Int64
        var iat: Int64
        var jti: String
        var name: String
        var roles: [String]
        var company: String?
    }

    package func sign(_ claims: AccessTokenClaims) -> String {
        let payload = Payload(
            iss: issuer, aud: audience, sub: claims.subject, exp: claims.expiresAt, nbf: claims.issuedAt,
            iat: claims.issuedAt, jti: claims.tokenID, name: claims.username, roles: claims.roles,
            company: claims.companyID)
        // Strings and integers always encode.
        let body = (try? JSONEncoder().encode(payload)).map { Array($0) } ?? []
        let signed = Self.header + "." + Base64URL.encode(body)
        return signed + "." + Base64URL.encode(Crypto.hmacSHA256(key: key, Array(signed.utf8)))
    }

    /// - Parameter now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func verify(_ token: String, now: Int64) throws(TokenError) -> AccessTokenClaims {
        guard token.utf8.count <= Self.maxBytes else { throw .malformed }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed }
        guard parts[0] == Self.header || Self.isEquivalent(header: parts[0]) else {
            throw Base64URL.decode(parts[0]) == nil ? .malformed : .unsupportedAlgorithm
        }
        guard let signature = Base64URL.decode(parts[2]) else { throw .malformed }
        let signed = Array(token.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
        guard Crypto.constantTimeEquals(signature, Crypto.hmacSHA256(key: key, signed)) else { throw .badSignature }
        guard let body = Base64URL.decode(parts[1]),
            let payload = try? JSONDecoder().decode(Payload.self, from: Data(body)), !payload.sub.isEmpty,
            !payload.jti.isEmpty
        else { throw .malformed }
        guard payload.iss == issuer else { throw .wrongIssuer }
        guard payload.aud == audience else { throw .wrongAudience }
        guard payload.exp > now - leewaySeconds else { throw .expired }
        guard payload.nbf <= now + leewaySeconds, payload.iat <= now + leewaySeconds else { throw .notYetValid }
        return AccessTokenClaims(
            subject: payload.sub, username: payload.name, roles: payload.roles, companyID: payload.company,
            issuedAt: payload.iat, expiresAt: payload.exp, tokenID: payload.jti)
    }

    /// The same header in another order of its members, as other libraries write it.
    private static func isEquivalent(header: Substring) -> Bool {
        struct Header: Decodable, Equatable {
            var alg: String
            var typ: String?
            var crit: [String]?
        }
        guard let bytes = Base64URL.decode(header), bytes.count <= 256,
            let decoded = try? JSONDecoder().decode(Header.self, from: Data(bytes))
        else { return false }
        return decoded.alg == "HS256" && decoded.crit == nil && (decoded.typ ?? "JWT") == "JWT"
    }
}
