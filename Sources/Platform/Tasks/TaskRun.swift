internal import Redis

/// A stream entry that this worker took.
struct TakenEntry: Sendable {
    let stream: String
    let id: String
    let fields: [RedisValue]
    /// How many workers have had it, this one included.
    let deliveries: Int

    /// - Parameter value: stream, id and fields, and how often it was delivered when that is not once.
    init?(_ value: RedisValue) {
        guard let parts = value.array, parts.count >= 3, let stream = parts[0].text, let id = parts[1].text else {
            return nil
        }
        self.stream = stream
        self.id = id
        fields = parts[2].array ?? []
        deliveries = parts.count > 3 ? Int(parts[3].integer ?? 1) : 1
    }

    init(stream: String, id: String, fields: [RedisValue]) {
        self.stream = stream
        self.id = id
        self.fields = fields
        deliveries = 1
    }

    /// Milliseconds since 1970 on Redis' clock, when it came into the stream.
    var dueMilliseconds: UInt64 { UInt64(id.prefix { $0 != "-" }) ?? 0 }

    /// The entries of an `XREADGROUP` reply.
    static func reading(_ reply: RedisValue) -> [TakenEntry] {
        var entries: [TakenEntry] = []
        for stream in reply.array ?? [] {
            guard let parts = stream.array, parts.count == 2, let name = parts[0].text else { continue }
            for entry in parts[1].array ?? [] {
                guard let pair = entry.array, pair.count == 2, let id = pair[0].text else { continue }
                entries.append(TakenEntry(stream: name, id: id, fields: pair[1].array ?? []))
            }
        }
        return entries
    }
}

/// A task while this worker owns it.
///
/// Safety (`@unchecked Sendable`): touched on the lane's loop only.
final class TaskRun: @unchecked Sendable {
    let taken: TakenEntry
    let entry: TaskEntry
    /// The task's name in metrics.
    let label: String
    /// On the loop's clock.
    let deadlineMilliseconds: UInt64
    var task: Task<Void, Never>?
    var interruption: Interruption?

    /// Why the handler was cancelled.
    enum Interruption {
        /// It took longer than it may.
        case timedOut
        /// Another worker owns the task by now.
        case lost
        /// The worker stops.
        case givenBack
    }

    init(_ taken: TakenEntry, _ entry: TaskEntry, label: String, deadlineMilliseconds: UInt64) {
        self.taken = taken
        self.entry = entry
        self.label = label
        self.deadlineMilliseconds = deadlineMilliseconds
    }

    /// Cancels the handler, for the first reason that there is.
    func interrupt(_ reason: Interruption) {
        guard interruption == nil else { return }
        interruption = reason
        task?.cancel()
    }
}

/// What becomes of a task after a run.
enum TaskVerdict: Sendable {
    case succeeded(String)
    case duplicate(String)
    case refused(TaskRefusal)
    /// Tried again after so many milliseconds.
    case retry(Int, errorType: String)
    /// A store was away: not the task's fault, so no attempt is counted.
    case postpone(Int, errorType: String)
    case dead(reason: String, errorType: String)
    case giveBack
    case lost

    /// The `outcome` of `task_runs_total`.
    var outcome: String {
        switch self {
        case .succeeded: "success"
        case .duplicate: "duplicate"
        case .refused: "refused"
        case .retry: "retried"
        case .postpone: "postponed"
        case .dead: "dead"
        case .giveBack: "given_back"
        case .lost: "lost"
        }
    }

    /// Nil when nothing went wrong.
    var errorType: String? {
        switch self {
        case .succeeded, .duplicate, .refused: nil
        case .retry(_, let type), .postpone(_, let type), .dead(_, let type): type
        case .giveBack: "given_back"
        case .lost: "lost"
        }
    }
}
