/// Who the caller is: verified by the gateway, signed to the services in `X-Vitrine-Identity`.
package struct Identity: Sendable, Hashable {
    package var userID: String
    package var username: String
    package var roles: [String]
    package var companyID: String?
    package var isAdmin: Bool { roles.contains("admin") }

    /// The user alone tells most identities apart; comparing looks at everything.
    package func hash(into hasher: inout Hasher) { hasher.combine(userID) }

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
}
