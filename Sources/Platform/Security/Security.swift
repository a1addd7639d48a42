package import EventLoop

/// Claims of an access token, after every check has passed.
package struct AccessTokenClaims: Sendable, Hashable {
    package var subject: String
    package var username: String
    package var roles: [String]
    package var companyID: String?
    package var issuedAt: Int64
    package var expiresAt: Int64
    package var tokenID: String
    package init(
        subject: String, username: String, roles: [String], companyID: String?, issuedAt: Int64, expiresAt: Int64,
        tokenID: String
    ) {
        self.subject = subject
        self.username = username
        self.roles = roles
        self.companyID = companyID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.tokenID = tokenID
    }
}

/// Signs and verifies access tokens: HS256 only, pinned; `iss, aud, sub, exp, nbf, iat, jti` checked.
package struct TokenSigner: Sendable {
    /// - Parameter secret: 32 bytes or more.
    package init(secret: String, issuer: String = "vitrine", audience: String = "vitrine", leewaySeconds: Int64 = 30) {
        fatalError("skeleton")
    }
    package func sign(_ claims: AccessTokenClaims) -> String { fatalError("skeleton") }
    /// - Parameter now: seconds since 1970.
    /// - Throws: `TokenError`.
    package func verify(_ token: String, now: Int64) throws -> AccessTokenClaims { fatalError("skeleton") }
}

package enum TokenError: Error, Sendable {
    case malformed, unsupportedAlgorithm, badSignature, expired, notYetValid, wrongIssuer, wrongAudience
}

/// Who the caller is: verified by the gateway, signed to the services in `X-Vitrine-Identity`.
package struct Identity: Sendable, Hashable {
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
}

/// Signs an identity for one hop inside the platform, valid for a minute (HMAC-SHA256).
package struct IdentitySigner: Sendable {
    package static let header = "x-vitrine-identity"
    package init(secret: String) { fatalError("skeleton") }
    package func sign(_ identity: Identity, now: Int64) -> String { fatalError("skeleton") }
    package func verify(_ text: String, now: Int64) throws -> Identity { fatalError("skeleton") }
}

/// bcrypt through libxcrypt, off the loop.
package struct PasswordHasher: Sendable {
    /// - Parameter cost: 4 to 31; 12 in production.
    package init(cost: Int, workers: WorkerPool) { fatalError("skeleton") }
    package func hash(_ password: String) async throws -> String { fatalError("skeleton") }
    /// Constant time; a nil hash costs as much as a wrong password, so that unknown accounts cannot be told apart.
    package func verify(_ password: String, against hash: String?) async throws -> Bool { fatalError("skeleton") }
}

package enum Crypto {
    package static func randomBytes(_ count: Int) -> [UInt8] { fatalError("skeleton") }
    /// URL-safe base64 without padding.
    package static func randomToken(bytes: Int) -> String { fatalError("skeleton") }
    package static func sha256Hex(_ text: String) -> String { fatalError("skeleton") }
    package static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] { fatalError("skeleton") }
    package static func constantTimeEquals(_ a: [UInt8], _ b: [UInt8]) -> Bool { fatalError("skeleton") }
    package static func base64URLEncode(_ bytes: [UInt8]) -> String { fatalError("skeleton") }
    package static func base64URLDecode(_ text: some StringProtocol) -> [UInt8]? { fatalError("skeleton") }
}
