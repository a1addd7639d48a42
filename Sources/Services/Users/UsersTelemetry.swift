internal import ServiceKit
package import Telemetry

/// What users tell of themselves: every security decision, without a name or an address.
package struct UsersTelemetry: Sendable {
    enum AuthOutcome: String, CaseIterable, Sendable { case success, failure, throttled, reused }

    package static let attempts = Counter(
        "auth_attempts_total", help: "Attempts to log in or to refresh a token.", labels: ["status"])
    package static let issued = Counter("tokens_issued_total", help: "Access tokens issued.")
    package static let registered = Counter("users_registered_total", help: "Users who registered.")
    package static let active = Gauge(
        "active_users_total", help: "Users who logged in or got new tokens within the last 15 minutes.")

    static let login = LogEvent("auth.login", help: "Somebody tried to log in.")
    static let refresh = LogEvent("auth.refresh", help: "Somebody asked for new tokens.")
    static let reuse = LogEvent(
        "auth.refresh_reuse", level: .warn, help: "A refresh token was used twice; its family was revoked.")
    static let logout = LogEvent("auth.logout", help: "Somebody logged out.")
    static let registration = LogEvent("user.registered", help: "Somebody registered.")
    static let adminNotMade = LogEvent(
        "user.admin_not_made", level: .warn,
        help: "The first administrator was not made: somebody else has the name. Nobody was given more rights.")
    static let roleAssigned = LogEvent("user.role_assigned", help: "An administrator gave a user a role.")
    static let passwordSet = LogEvent("user.password_set", help: "An administrator set a user's password.")

    static let declarations = TelemetryDeclarations(
        metrics: [attempts.declaration, issued.declaration, registered.declaration, active.declaration],
        events: [login, refresh, reuse, logout, registration, adminNotMade, roleAssigned, passwordSet],
        fields: [AttributeKey("event.outcome"), AttributeKey("user.id"), AttributeKey("labels.actor_id")])

    let active: GaugeSeries
    let issued: CounterSeries
    let registered: CounterSeries
    private let logger: Logger
    private let attempts: [AuthOutcome: CounterSeries]

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("users.audit")
        active = telemetry.metrics.gauge(Self.active).series()
        issued = telemetry.metrics.counter(Self.issued).series()
        registered = telemetry.metrics.counter(Self.registered).series()
        let family = telemetry.metrics.counter(Self.attempts)
        attempts = Dictionary(uniqueKeysWithValues: AuthOutcome.allCases.map { ($0, family.series($0.rawValue)) })
    }

    /// Counts an attempt, and writes it into the audit trail.
    func noteAttempt(_ event: LogEvent, _ outcome: AuthOutcome, userID: String?) {
        attempts[outcome]?.increment()
        note(event, outcome.rawValue, userID: userID, isSuccess: outcome == .success)
    }

    /// A line of the audit trail.
    /// - Parameters: userID: whom it is about; nil when that is not known. - actorID: who did it, when that is another.
    func note(_ event: LogEvent, _ what: String, userID: String?, actorID: String? = nil, isSuccess: Bool = true) {
        var fields = [Attribute(Self.outcome, .string(isSuccess ? "success" : "failure"))]
        if let userID { fields.append(Attribute(Self.userID, .string(userID))) }
        if let actorID { fields.append(Attribute(Self.actorID, .string(actorID))) }
        logger.log(event, what, fields)
    }

    private static let outcome = AttributeKey("event.outcome")
    private static let userID = AttributeKey("user.id")
    private static let actorID = AttributeKey("labels.actor_id")
}
