package import Security

/// Somebody with a token.
package struct Person: Sendable {
    package var roles: [String]
    package var company: String?
    package var subject: String

    package init(
        roles: [String], company: String?, subject: String = "00000000-0000-4000-8000-000000000001"
    ) {
        self.roles = roles
        self.company = company
        self.subject = subject
    }

    package static let alpha = "aaaaaaaa-0000-4000-8000-00000000000a"
    package static let beta = "bbbbbbbb-0000-4000-8000-00000000000b"

    package static let manager = Person(roles: ["manager"], company: alpha)
    /// Has every right, in another company.
    package static let rival = Person(
        roles: ["manager", "admin"], company: beta, subject: "00000000-0000-4000-8000-000000000002")
    package static let clerk = Person(roles: ["user"], company: alpha)
    package static let superuser = Person(roles: ["superuser"], company: nil)

    package var identity: Identity { Identity(userID: subject, username: "mira", roles: roles, companyID: company) }

    /// A header value that is valid for a quarter of an hour.
    package var bearer: String {
        let claims = AccessTokenClaims(
            subject: subject, username: "mira", roles: roles, companyID: company, issuedAt: Deployment.now - 10,
            expiresAt: Deployment.now + 900, tokenID: "t-1")
        return "Bearer \(Deployment.tokens.sign(claims))"
    }
}
