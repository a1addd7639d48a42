internal import ServiceKit

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
