internal import PostgreSQL
internal import ServiceKit
internal import Values

/// A user as it is stored. Both HTTP shapes are views of it.
struct User: Sendable {
    let id: String
    let companyID: String?
    let username: String
    let email: String?
    let fullName: String
    let phone: String
    /// Nil for an account that nobody can log in to.
    let passwordHash: String?
    let role: Role
    let totalSpent: Money
    let createdAt: Timestamp
    let updatedAt: Timestamp
    let lsn: Int64
}

/// A user who is about to be stored.
struct NewUser: Sendable {
    let username: String
    let email: String?
    let fullName: String
    let phone: String
    let passwordHash: String
    let role: Role
}

/// Reads and writes users.
struct UserRepository: Sendable {
    let database: PostgreSQLClient

    /// - Returns: the user as it was stored.
    /// - Throws: `PostgreSQLError` with `isUniqueViolation` when the name or address is taken.
    func insert(_ user: NewUser, in transaction: PostgreSQLTransaction) async throws -> User {
        let row = try await transaction.query(
            "INSERT users",
            """
            INSERT INTO users (id, username, email, full_name, phone, password_hash, role)
            VALUES (\(Identifier.make())::uuid, \(user.username), \(user.email), \(user.fullName), \(user.phone),
                    \(user.passwordHash), \(user.role.rawValue))
            RETURNING \(unsafeSQL: Self.columns)
            """
        ).first
        guard let row else { throw PostgreSQLError.decoding("an inserted user was not returned") }
        return try Self.user(row)
    }

    func find(_ id: String) async throws -> User? {
        try await database.query(
            "SELECT users", "SELECT \(unsafeSQL: Self.columns) FROM users WHERE id = \(id)::uuid"
        ).first.map(Self.user)
    }

    /// By user name or e-mail address, without case.
    func find(login: String) async throws -> User? {
        try await database.query(
            "SELECT users",
            """
            SELECT \(unsafeSQL: Self.columns) FROM users
            WHERE lower(username) = lower(\(login)) OR lower(email) = lower(\(login))
            ORDER BY lower(username) = lower(\(login)) DESC LIMIT 1
            """
        ).first.map(Self.user)
    }

    /// A page of the caller's company, in the order of registration.
    /// - Parameter cursor: the `lsn` after which the page starts.
    func list(companyID: String?, after cursor: Int64, limit: Int) async throws -> [User] {
        try await database.query(
            "SELECT users",
            """
            SELECT \(unsafeSQL: Self.columns) FROM users
            WHERE lsn > \(cursor) AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            ORDER BY lsn LIMIT \(limit)
            """
        ).rows.map(Self.user)
    }

    /// Changes what is given.
    /// - Returns: the user as it is now; nil when there is none.
    func update(_ id: String, fullName: String?, phone: String?) async throws -> User? {
        try await database.query(
            "UPDATE users",
            """
            UPDATE users SET full_name = coalesce(\(fullName), full_name), phone = coalesce(\(phone), phone),
                             updated_at = now()
            WHERE id = \(id)::uuid RETURNING \(unsafeSQL: Self.columns)
            """
        ).first.map(Self.user)
    }

    /// - Returns: false when there is no such user in the company.
    func assign(_ role: Role, to id: String, companyID: String?) async throws -> Bool {
        try await database.query(
            "UPDATE users",
            """
            UPDATE users SET role = \(role.rawValue), updated_at = now()
            WHERE id = \(id)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).count > 0
    }

    /// Notes that the user was here.
    func touch(_ id: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE users", "UPDATE users SET last_seen_at = now() WHERE id = \(id)::uuid")
    }

    /// Users who logged in, or got new tokens, lately.
    /// - Parameter seconds: how long ago at most.
    func countActive(withinSeconds seconds: Int) async throws -> Int {
        try await database.query(
            "SELECT users",
            """
            SELECT count(*) AS active FROM users
            WHERE last_seen_at > now() - \(seconds)::int * interval '1 second'
            """
        ).first?.get("active") ?? 0
    }

    private static let columns =
        "id, company_id, username, email, full_name, phone, password_hash, role, total_spent, created_at, updated_at, lsn"

    private static func user(_ row: PostgreSQLRow) throws -> User {
        let role: String = try row.get("role")
        guard let role = Role(rawValue: role) else { throw PostgreSQLError.decoding("users.role is unknown") }
        return User(
            id: try row.get("id"), companyID: try row.optional("company_id"), username: try row.get("username"),
            email: try row.optional("email"), fullName: try row.get("full_name"), phone: try row.get("phone"),
            passwordHash: try row.optional("password_hash"), role: role, totalSpent: try row.get("total_spent"),
            createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"), lsn: try row.get("lsn"))
    }

    /// What a user may do beyond the role: what their groups may.
    func permissions(of id: String) async throws -> [String] {
        try await database.query(
            "SELECT permissions",
            """
            SELECT DISTINCT code FROM group_members
            JOIN group_permissions USING (group_id)
            JOIN permissions ON permissions.id = permission_id
            WHERE user_id = \(id)::uuid ORDER BY code
            """
        ).rows.map { try $0.get("code") }
    }

    /// - Returns: false when there is no such user in the company.
    func setPassword(_ hash: String, of id: String, companyID: String?) async throws -> Bool {
        try await database.query(
            "UPDATE users",
            """
            UPDATE users SET password_hash = \(hash)
            WHERE id = \(id)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).count > 0
    }
}
