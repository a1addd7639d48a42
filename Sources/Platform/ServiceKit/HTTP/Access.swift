/// Who may call a route.
package enum Access: Sendable {
    /// Anybody; a valid token is still read.
    case open
    /// Anybody with a valid token: 401 otherwise.
    case user
    /// A user who has one of these roles: 403 otherwise.
    case roles([String])
    /// Other services of the platform only (a signed identity of role `service`): 403 otherwise.
    case service
    /// Those of `PermissionDirectory.access`: 403 otherwise.
    case permission(PermissionDirectory.Grant)
    package static let admin = Access.roles(["admin"])
}
