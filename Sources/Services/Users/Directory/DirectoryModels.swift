internal import HTTPCodec
internal import Models
internal import ServiceKit
internal import Values

extension Directory {
    /// A user as administrators see one: the same row that both older shapes show. It has no password here: who is made by
    /// an administrator cannot log in before one is set.
    struct User: Model {
        var base = Base()
        var username = ""
        var email: String?
        var fullName = ""
        var phone = ""
        var role = Role.user
        var totalSpent = Money.zero
        var lastSeenAt: Timestamp?

        static let schema = Schema<User>("users") {
            Field("username", \.username, .line(1...Credentials.maxEmailBytes), .sensitive)
            Field("email", \.email, .line(3...Credentials.maxEmailBytes), .sensitive)
            Field("full_name", \.fullName, .line(0...Credentials.maxNameBytes), .defaulted, .sensitive)
            Field("phone", \.phone, .line(0...Credentials.maxNameBytes), .defaulted, .sensitive)
            Field("role", \.role, .defaulted, .indexed)
            Field("total_spent", \.totalSpent, .notNegative, .readOnly)
            Field("last_seen_at", \.lastSeenAt, .readOnly, about: "When they logged in or got new tokens.")
        }

        /// - Throws: `HTTPError` 422 for what no registration would take.
        func check() throws {
            guard Credentials.isLogin(username) else {
                throw HTTPError.invalid(["body", "username"], "1 to 254 visible characters of ASCII", type: "username")
            }
            guard email.map(Credentials.isEmail) ?? true else {
                throw HTTPError.invalid(["body", "email"], "Input should be an e-mail address", type: "email")
            }
        }
    }
}

extension Role: Choice {}

/// A tenant of the platform. Its id is the `company_id` of what belongs to it.
struct Company: Model {
    var base = Base()
    var code = ""
    var name = ""
    var isActive = false
    var activatedAt: Timestamp?

    static let schema = Schema<Company>("companies") {
        Field("code", \.code, .code, .unique, .searchable)
        Field("name", \.name, .line(1...200), .searchable)
        Field("is_active", \.isActive, .readOnly)
        Field("activated_at", \.activatedAt, .readOnly)
    }

    /// `POST {id}/activate`, and `activate-wait` for who wants to see it done.
    static let activate = ModelTask<Company>("activate", of: "users")

    mutating func activate() {
        if isActive { return }
        isActive = true
        activatedAt = .now()
    }
}

/// Users of a company who may do the same.
struct Group: Model {
    var base = Base()
    var code = ""
    var name = ""

    static let schema = Schema<Group>("groups") {
        Field("code", \.code, .code, .unique, .searchable)
        Field("name", \.name, .line(1...200), .searchable)
    }
}

/// Something that one may do: services ask for it by its code, such as `warehouse.write`.
struct Permission: Model {
    var base = Base()
    var code = ""
    var about: String?

    static let schema = Schema<Permission>("permissions") {
        Field("code", \.code, .code, .unique, .searchable, about: "As services ask for it: `warehouse.write`.")
        Field("about", \.about, .text(0...500))
    }
}

/// A user's place in a group.
struct GroupMember: Model {
    var base = Base()
    var groupID = ID.none
    var userID = ID.none

    static let schema = Schema<GroupMember>("group_members") {
        Field("group_id", \.groupID, .references(Group.self, onDelete: .cascade))
        Field("user_id", \.userID, .references(Directory.User.self, onDelete: .cascade))
    }
}

/// What the users of a group may do.
struct GroupPermission: Model {
    var base = Base()
    var groupID = ID.none
    var permissionID = ID.none

    static let schema = Schema<GroupPermission>("group_permissions") {
        Field("group_id", \.groupID, .references(Group.self, onDelete: .cascade))
        Field("permission_id", \.permissionID, .references(Permission.self, onDelete: .cascade))
    }
}
