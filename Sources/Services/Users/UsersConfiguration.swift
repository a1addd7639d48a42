internal import Configuration

/// Settings of users.
struct UsersConfiguration: Sendable {
    /// `USERS_BCRYPT_COST`: 4 to 16; 12. Each step doubles the time of a login.
    let bcryptCost: Int
    /// `USERS_ADMIN_EMAIL` and `USERS_ADMIN_PASSWORD`: the first administrator, made at start when both are set.
    let admin: (email: String, password: String)?
    /// `USERS_LOGINS_PER_MINUTE`: attempts for one account from one address, and ten times as many for one account from
    /// everywhere. 1 to 10,000; 30.
    let loginsPerMinute: Int

    init(_ reader: ConfigurationReader) {
        bcryptCost = reader.int("USERS_BCRYPT_COST", default: 12, in: 4...16)
        loginsPerMinute = reader.int("USERS_LOGINS_PER_MINUTE", default: 30, in: 1...10_000)
        guard let email = reader.optionalString("USERS_ADMIN_EMAIL") else {
            admin = nil
            return
        }
        let password = reader.secret("USERS_ADMIN_PASSWORD", minimumBytes: Credentials.minPasswordCharacters)
        if !Credentials.isEmail(email) { reader.report("USERS_ADMIN_EMAIL is not an e-mail address") }
        if let weakness = Credentials.weakness(ofPassword: password) {
            reader.report("USERS_ADMIN_PASSWORD is too weak: \(weakness)")
        }
        admin = (email, password)
    }
}
