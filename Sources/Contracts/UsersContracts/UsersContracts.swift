package import ServiceKit
internal import Values

/// How a customer is reached: for notifications only, never logged.
package struct UserContact: Codable, Sendable {
    package var userID: String
    package var name: String
    package var email: String?

    package init(userID: String, name: String, email: String?) {
        self.userID = userID
        self.name = name
        self.email = email
    }

    private enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case name, email
    }
}

/// Somebody registered.
package struct UserRegistered: Event {
    package static let type = "user.registered"
    package var userID: String
    package var subject: String { userID }

    package init(userID: String) { self.userID = userID }

    private enum CodingKeys: String, CodingKey { case userID = "user_id" }
}

/// Somebody's permissions are others than they were.
package struct PermissionsChanged: Event {
    package static let type = "permissions.changed"
    /// Whose; nil when a group's or a company's have changed.
    package var userID: String?
    package var subject: String { userID ?? "everybody" }

    package init(userID: String?) { self.userID = userID }

    private enum CodingKeys: String, CodingKey { case userID = "user_id" }
}

/// What a user may do beyond their roles.
package struct UserPermissions: Codable, Sendable {
    package var permissions: [String]
    package init(permissions: [String]) { self.permissions = permissions }
}

extension PermissionDirectory {
    /// The directory that the users service keeps. A service that has one names `PermissionsChanged` among the events that
    /// it consumes. During `build` only.
    package static func ofUsers(_ app: Application) -> PermissionDirectory {
        let services = app.services
        let directory = PermissionDirectory { userID in
            // A service's own identity is no user's.
            guard let id = Identifier.normalized(userID) else { return [] }
            let answer: UserPermissions = try await services.get(
                "users", "/internal/users/\(id)/permissions", template: "/internal/users/{id}/permissions", as: .service
            )
            return Set(answer.permissions)
        }
        app.on(PermissionsChanged.self) { event, _ in directory.forget(event.userID) }
        return directory
    }
}
