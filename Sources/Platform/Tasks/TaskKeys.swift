/// Where Redis keeps the tasks of one service. The braces keep all of them on one node of a cluster, as scripts need.
struct TaskKeys: Sendable {
    let service: String

    private var prefix: String { "tasks:{\(service)}:" }

    func stream(_ priority: TaskPriority) -> String { prefix + priority.rawValue }
    /// By priority, the highest first.
    var streams: [String] { TaskPriority.allCases.map(stream) }
    /// A sorted set of packed entries by the millisecond in which they are due.
    var delayed: String { prefix + "delayed" }
    var dead: String { prefix + "dead" }
    /// When each periodic task last ran: a hash of numbers of periods.
    var periods: String { prefix + "periods" }
    func result(_ id: String) -> String { prefix + "result:" + id }
    /// Mailboxes to be told when a task is finished.
    func waiters(_ id: String) -> String { prefix + "waiters:" + id }
    func mailbox(_ id: String) -> String { prefix + "mailbox:" + id }
    /// The lock of who enqueues periodic tasks.
    var leader: String { "tasks:" + service }

    static let group = "workers"
}
