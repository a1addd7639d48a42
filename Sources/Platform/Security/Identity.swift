internal import FoundationEssentials

/// Who the caller is: verified by the gateway, signed to the services in `X-Vitrine-Identity`.
package struct Identity: Sendable, Hashable, Codable {
    package var userID: String
    package var username: String
    package var roles: [String]
    package var companyID: String?
    package var isAdmin: Bool { roles.contains("admin") }

    package init(userID: String, username: String, roles: [String], companyID: String? = nil) {
        self.userID = userID
        self.username = username
        self.roles = roles
        self.companyID = companyID
    }

    /// A service of the platform that acts for itself.
    package static func service(_ name: String) -> Identity {
        Identity(userID: "service:\(name)", username: name, roles: ["service"])
    }

    private enum CodingKeys: String, CodingKey {
        case userID = "u"
        case username = "n"
        case roles = "r"
        case companyID = "c"
    }
}

/// Signs an identity for one hop inside the platform, valid for a minute (HMAC-SHA256).
package struct IdentitySigner: Sendable {
    package static let header = "x-vitrine-identity"
    /// Seconds that a signature is good for.
    package static let lifetimeSeconds: Int64 = 60
    /// Clocks of the platform's machines may differ by so much.
    private static let leewaySeconds: Int64 = 5
    private static let maxBytes = 4 * 1024
    /// The key is derived for this one use, so that a signature made for another purpose is worth nothing here.
    private static let purpose = Array("vitrine identity v1".utf8)

    private let key: [UInt8]

    /// - Parameter secret: 32 bytes or more. Traps on less: configuration has checked it.
    package init(secret: String) {
        precondition(secret.utf8.count >= 32, "the identity secret must have at least 32 bytes")
        key = Crypto.hmacSHA256(key: Array(secret.utf8), Self.purpose)
    }

    private struct Envelope: Codable {
        var i: Identity
        var e: Int64
    }

    /// - Parameter now: seconds since 1970.
    package func sign(_ identity: Identity, now: Int64) -> String {
        let envelope = Envelope(i: identity, e: now + Self.lifetimeSeconds)
        let body = Base64URL.encode((try? JSONEncoder().encode(envelope)).map { Array($0) } ?? [])
        return body + "." + Base64URL.encode(Crypto.hmacSHA256(key: key, Array(body.utf8)))
    }

    /// - Throws: `TokenError`.
    package func verify(_ text: String, now: Int64) throws(TokenError) -> Identity {
        guard text.utf8.count <= Self.maxBytes, let dot = text.firstIndex(of: "."),
            let signature = Base64URL.decode(text[text.index(after: dot)...])
        else { throw .malformed }
        let body = text[..<dot]
        guard Crypto.constantTimeEquals(signature, Crypto.hmacSHA256(key: key, Array(body.utf8))) else {
            throw .badSignature
        }
        guard let bytes = Base64URL.decode(body),
            let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(bytes))
        else { throw .malformed }
        guard envelope.e > now - Self.leewaySeconds else { throw .expired }
        guard envelope.e <= now + Self.lifetimeSeconds + Self.leewaySeconds else { throw .notYetValid }
        return envelope.i
    }
}
