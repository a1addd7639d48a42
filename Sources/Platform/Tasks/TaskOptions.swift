package import Security

/// How one task is enqueued, beyond what its definition says.
package struct TaskOptions: Sendable {
    /// Zero: as soon as a worker is free.
    package var delayMilliseconds = 0
    /// Nil: the definition's.
    package var priority: TaskPriority?
    /// For tasks with effect `once`: tasks of one kind and key have one effect together. Nil: this task alone.
    package var key: String?
    /// On whose behalf the handler works; nil for the service's own.
    package var identity: Identity?
    /// How long the outcome can be asked for, 0 (not at all) to 86,400 seconds.
    package var keepsResultSeconds = 0

    package init(
        delayMilliseconds: Int = 0, priority: TaskPriority? = nil, key: String? = nil, identity: Identity? = nil,
        keepsResultSeconds: Int = 0
    ) {
        self.delayMilliseconds = delayMilliseconds
        self.priority = priority
        self.key = key
        self.identity = identity
        self.keepsResultSeconds = keepsResultSeconds
    }
}

/// What is known of a task whose result is kept.
package struct TaskStatus: Sendable, Hashable {
    package enum State: String, Sendable {
        /// Enqueued, running, or waiting for its next attempt.
        case pending
        case succeeded
        /// Its handler said no for good: asking again changes nothing.
        case refused
        /// Given up after its last attempt; it lies with the dead letters.
        case failed
    }

    package let task: String
    package let state: State
    /// The user on whose behalf it was enqueued; nil for a service.
    package let owner: String?
    /// That user's company; nil for the platform's own.
    package let companyID: String?
    /// JSON of the output, or of the `TaskRefusal`; empty while pending.
    package let body: String

    /// - Parameter ownerText: what `ownerText` made.
    init(task: String, state: State, ownerText: String, body: String) {
        self.task = task
        self.state = state
        self.body = body
        let parts = ownerText.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        owner = parts[0].isEmpty ? nil : String(parts[0])
        companyID = parts.count > 1 ? String(parts[1]) : nil
    }

    /// How Redis keeps whose it is: `user`, or `user company`.
    static func ownerText(_ identity: Identity?) -> String {
        guard let identity else { return "" }
        return identity.userID + (identity.companyID.map { " " + $0 } ?? "")
    }
}
