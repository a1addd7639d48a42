/// Claims of an access token, after every check has passed.
package struct AccessTokenClaims: Sendable, Hashable {
    package var subject: String
    package var username: String
    package var roles: [String]
    package var companyID: String?
    /// Seconds since 1970.
    package var issuedAt: Int64
    /// Seconds since 1970.
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

    /// Who the token speaks for.
    package var identity: Identity {
        Identity(userID: subject, username: username, roles: roles, companyID: companyID)
    }
}

/// Why a token is refused. A client is told no more than «invalid».
package enum TokenError: Error, Sendable, Hashable {
    case malformed, unsupportedAlgorithm, badSignature, expired, notYetValid, wrongIssuer, wrongAudience
}
