package import Redis

/// How the queues of a service stand, and its dead letters: for those who look after it.
package struct TaskQueues: Sendable {
    /// Dead letters that are kept for each service; the oldest make room.
    package static let maxKept = 10_000

    /// A task that was given up.
    package struct Letter: Sendable, Hashable {
        /// In the stream of dead letters; what `replay` takes.
        package let entry: String
        package let id: String
        package let task: String
        package let attempt: Int
        package let reason: String
        package let input: String
        /// Milliseconds since 1970.
        package let diedAtMilliseconds: Int64
    }

    /// How one queue stands.
    package struct Depth: Sendable, Hashable {
        package let queue: String
        package let tasks: Int
        /// Of the oldest that waits or runs; nil where that is not known.
        package let oldestMilliseconds: Int?
    }

    private let redis: RedisClient
    private let keys: TaskKeys

    private static let pageSize = 100

    package init(service: String, redis: RedisClient) {
        self.redis = redis
        keys = TaskKeys(service: service)
    }

    /// The newest dead letters first.
    /// - Parameter limit: 1 to `maxKept`.
    package func list(limit: Int) async throws -> [Letter] {
        let entries = try await redis.command("XREVRANGE", keys.dead, "+", "-", "COUNT", "\(limit)").array ?? []
        return entries.compactMap(Self.letter)
    }

    private static func letter(_ value: RedisValue) -> Letter? {
        guard let pair = value.array, pair.count == 2, let entry = pair[0].text, let fields = pair[1].array else {
            return nil
        }
        var values: [String: String] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            values[fields[index].text ?? ""] = fields[index + 1].text
        }
        return Letter(
            entry: entry, id: values["id"] ?? "", task: values["task"] ?? "",
            attempt: values["attempt"].flatMap(Int.init) ?? 0, reason: values["dead.reason"] ?? "",
            input: values["input"] ?? "", diedAtMilliseconds: Int64(entry.prefix { $0 != "-" }) ?? 0)
    }

    /// Puts a dead letter back into its queue, with all its attempts.
    /// - Parameter entry: a `Letter.entry`.
    /// - Returns: false when there is no such letter (any more).
    package func replay(_ entry: String) async throws -> Bool {
        try await redis.run(
            TaskScripts.replay, keys: [keys.dead, keys.stream(.normal)], arguments: [entry]
        ).integer == 1
    }

    /// Puts every dead letter of this moment back, the oldest first.
    /// - Parameter task: only those of this name; nil for all.
    /// - Returns: how many.
    package func replayAll(task: String? = nil) async throws -> Int {
        // Those that die again meanwhile come after these, and are left alone.
        let last = try await list(limit: 1).first?.entry
        guard let last else { return 0 }
        var count = 0
        var from = "-"
        while true {
            let entries =
                try await redis.command(
                    "XRANGE", keys.dead, from, last, "COUNT", "\(Self.pageSize)"
                ).array ?? []
            let letters = entries.compactMap(Self.letter)
            for letter in letters where task == nil || letter.task == task {
                if try await replay(letter.entry) { count += 1 }
            }
            guard let end = letters.last?.entry, letters.count == Self.pageSize else { return count }
            from = "(" + end
        }
    }

    /// How the queues stand: by priority, then `delayed` and `dead`.
    package func depths() async throws -> [Depth] {
        let answer =
            try await redis.run(
                TaskScripts.measure, keys: keys.streams + [keys.delayed, keys.dead], arguments: []
            ).array ?? []
        let names = TaskPriority.allCases.map(\.rawValue) + ["delayed", "dead"]
        return names.enumerated().compactMap { index, name in
            guard index < answer.count, let tasks = answer[index].integer else { return nil }
            let age = names.count + index < answer.count ? answer[names.count + index].integer : nil
            return Depth(queue: name, tasks: Int(tasks), oldestMilliseconds: age.map { Int($0) })
        }
    }
}
