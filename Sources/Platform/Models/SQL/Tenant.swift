internal import HTTPCodec
package import Security
package import ServiceKit

/// Whose rows a statement sees. Every statement of this layer is made from one (`ScopedStatement`), so none can forget
/// to ask.
package enum Tenant: Hashable, Sendable {
    /// One company's; nil is the platform's own.
    case company(ID?)
    /// Everybody's: only ever because a superuser said so.
    case every
}

/// Who asks a manager for rows, and whose rows they are.
package struct Caller: Sendable, Hashable {
    package let identity: Identity
    package let tenant: Tenant

    /// Somebody within their own company.
    /// - Throws: `HTTPError` 403 when the identity's company is no UUID.
    package init(_ identity: Identity) throws {
        self.identity = identity
        guard let text = identity.companyID else {
            tenant = .company(nil)
            return
        }
        guard let id = ID(text) else {
            throw HTTPError(.forbidden, "company.malformed", "Your account's company is not known")
        }
        tenant = .company(id)
    }

    /// A superuser in a company that is not their own, or in all of them.
    /// - Throws: `HTTPError` 403 for anybody else.
    package init(_ identity: Identity, crossingTo tenant: Tenant) throws {
        guard identity.isSuperuser else {
            throw HTTPError(.forbidden, "company.foreign", "Only a superuser works in another company")
        }
        self.identity = identity
        self.tenant = tenant
    }

    /// The caller of a request: within their own company, unless `?company=` says otherwise.
    /// - Parameter company: a UUID, `platform` for rows of no company, `all` for everybody's.
    /// - Throws: `HTTPError` 401, 403, or 422 for a malformed value.
    package init(_ request: Request, company: String?) throws {
        try self.init(request.identity ?? Self.anybody, company: company)
    }

    /// Somebody within their own company, or where `crossing` says.
    /// - Parameter company: as for a request; nil for their own.
    init(_ identity: Identity, company: String?) throws {
        guard let company else {
            try self.init(identity)
            return
        }
        let tenant: Tenant
        switch company {
        case "all": tenant = .every
        case "platform": tenant = .company(nil)
        default:
            guard let id = ID(company) else {
                throw HTTPError.invalid(
                    ["query", Self.parameter], "Input should be a UUID, 'platform' or 'all'", type: "uuid_parsing")
            }
            tenant = .company(id)
        }
        try self.init(identity, crossingTo: tenant)
    }

    /// How another service, or a worker, is told that a superuser works in another company; nil in their own.
    var crossing: String? {
        if let own = try? Caller(identity), own.tenant == tenant { return nil }
        return switch tenant {
        case .every: "all"
        case .company(nil): "platform"
        case .company(.some(let id)): id.description
        }
    }

    /// The query parameter by which a superuser crosses into another company.
    static let parameter = "company"
    /// Who asks an open route without a token.
    private static let anybody = Identity(userID: "", username: "", roles: [])
}

extension Identity {
    /// Whether they may work in every company: the role `superuser`, an admin of the platform itself, or one of its
    /// services for itself.
    package var isSuperuser: Bool {
        roles.contains("superuser") || (companyID == nil && (isAdmin || roles.contains("service")))
    }
}
