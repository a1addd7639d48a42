internal import FoundationEssentials
internal import Redis
internal import Security
internal import Telemetry

/// A task on its way: the fields of a stream entry, of a delayed task and of a dead letter alike.
struct TaskEntry: Sendable {
    var id: String
    var task: String
    /// 1 for the first run.
    var attempt = 1
    var input: String
    /// Tasks of one kind and key have one effect together.
    var key: String
    /// Seconds; 0 keeps no result.
    var keepsResultSeconds = 0
    var identity: Identity?
    /// `traceparent`, `tracestate`, `baggage` and `x-request-id`, as they crossed.
    var context: [(name: String, value: String)] = []

    private static let contextNames: Set<String> = [
        Propagation.traceParent, Propagation.traceState, Propagation.baggage, Propagation.requestID,
    ]

    init(id: String, task: String, input: String, key: String?) {
        self.id = id
        self.task = task
        self.input = input
        self.key = key ?? id
    }

    /// - Returns: nil for an entry that is none of ours: it has no id, no name, or no sensible number.
    init?(fields: [RedisValue]) {
        var values: [String: String] = [:]
        var context: [(name: String, value: String)] = []
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].text, let value = fields[index + 1].text else { return nil }
            if Self.contextNames.contains(name) { context.append((name, value)) } else { values[name] = value }
        }
        guard let id = values["id"], let task = values["task"], let input = values["input"],
            let attempt = values["attempt"].flatMap(Int.init), attempt >= 1
        else { return nil }
        self.init(id: id, task: task, input: input, key: values["key"])
        self.attempt = attempt
        keepsResultSeconds = values["keep"].flatMap(Int.init) ?? 0
        identity = values["identity"].flatMap(TaskIdentity.decode)
        self.context = context
    }

    /// Field, value, field, value.
    func fields() throws -> [String] {
        var fields = ["id", id, "task", task, "attempt", "\(attempt)", "input", input]
        if key != id { fields += ["key", key] }
        if keepsResultSeconds > 0 { fields += ["keep", "\(keepsResultSeconds)"] }
        if let identity { fields += ["identity", try TaskIdentity.encode(identity)] }
        for (name, value) in context { fields += [name, value] }
        return fields
    }

    /// What its handler belongs to: the producer's trace, request id and baggage.
    func telemetryContext() -> TelemetryContext {
        Propagation.extract { name in context.first { $0.name == name }?.value }
    }
}

/// Who a task is done for, as JSON. Only services write to these streams, so it is not signed.
private struct TaskIdentity: Codable {
    let user: String
    let name: String
    let roles: [String]
    let company: String?

    static func encode(_ identity: Identity) throws -> String {
        let stored = TaskIdentity(
            user: identity.userID, name: identity.username, roles: identity.roles, company: identity.companyID)
        return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
    }

    static func decode(_ text: String) -> Identity? {
        guard let stored = try? JSONDecoder().decode(TaskIdentity.self, from: Data(text.utf8)) else { return nil }
        return Identity(userID: stored.user, username: stored.name, roles: stored.roles, companyID: stored.company)
    }
}
