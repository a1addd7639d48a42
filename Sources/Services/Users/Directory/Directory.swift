internal import HTTP
internal import HTTPCodec
internal import Models
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import UsersContracts

/// Users, companies, groups and permissions as models: who belongs where, and who may do what. Whatever changes what
/// somebody may do is told to the services that ask for it, in the transaction that changes it.
struct Directory: Sendable {
    let app: Application
    let accounts: Accounts

    func offer() {
        let models = Models(app)
        let admins = Access.roles(["admin", "superuser"])
        let staff = Access.roles(["admin", "manager", "superuser"])
        let outbox = app.outbox
        @Sendable func tell(_ userID: ID?, _ context: HookContext) async throws {
            try await outbox.append(PermissionsChanged(userID: userID?.description), in: context.transaction)
        }

        models.resource(User.self, at: "/api/v1/users", .reading(staff, writing: admins)) { users in
            users.hooks.beforeCreate = { user, _ in try user.check() }
            users.hooks.beforeUpdate = { _, user, _ in try user.check() }
            users.hooks.afterDelete = { user, context in try await tell(user.base.id, context) }
        }
        app.routes("/api/v1/users") { $0.post("/{id}/password", admins, setPassword) }
        app.document([passwordOperation(admins)])

        models.resource(Group.self, at: "/api/v1/groups", .reading(staff, writing: admins)) { groups in
            groups.hooks.afterDelete = { _, context in try await tell(nil, context) }
        }
        models.resource(Permission.self, at: "/api/v1/permissions", .reading(staff, writing: admins)) { permissions in
            permissions.hooks.afterUpdate = { _, _, context in try await tell(nil, context) }
            permissions.hooks.afterDelete = { _, context in try await tell(nil, context) }
        }
        // Pairs come and go; they never change.
        let pairs = Permissions(list: staff, get: staff, create: admins, delete: admins)
        models.resource(GroupMember.self, at: "/api/v1/group-members", pairs) { members in
            members.hooks.afterCreate = { member, context in try await tell(member.userID, context) }
            members.hooks.afterDelete = { member, context in try await tell(member.userID, context) }
        }
        models.resource(GroupPermission.self, at: "/api/v1/group-permissions", pairs) { permissions in
            permissions.hooks.afterCreate = { _, context in try await tell(nil, context) }
            permissions.hooks.afterDelete = { _, context in try await tell(nil, context) }
        }

        models.resource(Company.self, at: "/api/v1/companies", .reading(admins, writing: admins)) { companies in
            companies.hooks.beforeCreate = { _, context in
                guard context.caller.tenant == .company(nil) else {
                    throw HTTPError(.forbidden, "company.nested", "Only the platform itself makes companies")
                }
            }
            companies.task(Company.activate, admins, "Has a worker activate one Company") { company, _ in
                company.activate()
            }
        }
    }

    // MARK: Passwords

    private struct NewPassword: Decodable, StrictKeys {
        static let allowedKeys = ["password"]
        let password: String
    }

    /// Accounts that an administrator makes have no password before this.
    @Sendable private func setPassword(_ request: Request) async throws -> HTTPResponse {
        let (id, caller) = (try request.uuid("id"), try request.caller())
        let password = try await request.json(NewPassword.self).password
        if let weakness = Credentials.weakness(ofPassword: password) {
            throw HTTPError.invalid(["body", "password"], weakness, type: "password_weak")
        }
        let hash = try await accounts.hasher.hash(password)
        guard try await accounts.users.setPassword(hash, of: id, companyID: caller.companyID) else {
            throw HTTPError(.notFound, "not_found", "There is no User with this id")
        }
        accounts.telemetry.note(UsersTelemetry.passwordSet, "password set", userID: id, actorID: caller.userID)
        return .empty()
    }

    private func passwordOperation(_ access: Access) -> APIOperation {
        var operation = APIOperation(
            "post", "/api/v1/users/{id}/password", id: "setPasswordOfUser", tag: "users",
            summary: "Sets the password of one User", access: access, answers: [(204, "set", nil)],
            refusals: [400, 401, 403, 404, 413, 415, 422])
        operation.parameters = [
            ["name": "id", "in": "path", "required": true, "schema": ["type": "string", "format": "uuid"]]
        ]
        operation.body = [
            "type": "object", "required": ["password"], "additionalProperties": false,
            "properties": ["password": ["type": "string", "minLength": 8, "maxLength": 72, "writeOnly": true]],
        ]
        return operation
    }
}
