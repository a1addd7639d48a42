import Security
import ServiceKit
import Values

extension Command {
    /// For trying an API by hand; people sign in through the users service.
    static let token = Command(
        name: "token", synopsis: "[--roles ROLE,…] [--company ID] [--minutes N]",
        summary: "Print an access token signed with JWT_SECRET, to try an API by hand.",
        options: [
            Option(name: "roles", value: "ROLE,…", help: "what the bearer is (default manager)"),
            Option(name: "company", value: "ID", help: "whose rows the bearer sees (default: the platform's own)"),
            Option(name: "subject", value: "ID", help: "who the bearer is (default: a new id)"),
            Option(name: "minutes", value: "N", help: "how long it is good for: 1 to 60 (default 15)"),
        ]
    ) { arguments in
        let secret = ProcessSettings.environment()["JWT_SECRET"] ?? ""
        guard secret.utf8.count >= 32 else {
            throw UsageError("set JWT_SECRET to the 32 bytes or more that the services have")
        }
        guard let minutes = Int64(arguments.options["minutes"] ?? "15"), (1...60).contains(minutes) else {
            throw UsageError("--minutes is 1 to 60")
        }
        let now = Timestamp.now().secondsSince1970
        let claims = AccessTokenClaims(
            subject: arguments.options["subject"] ?? Identifier.make(), username: "by-hand",
            roles: (arguments.options["roles"] ?? "manager").split(separator: ",").map(String.init),
            companyID: arguments.options["company"], issuedAt: now, expiresAt: now + minutes * 60,
            tokenID: Identifier.make())
        Terminal.standard.line(TokenSigner(secret: secret).sign(claims))
        return 0
    }
}
