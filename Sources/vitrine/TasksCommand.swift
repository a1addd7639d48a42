import EventLoop
import LocalStack
import Redis
import ServiceKit
import Tasks
import Telemetry
import Values
import Wiring

extension Command {
    /// The queues of a service's tasks, for those who look after it.
    static let tasks = Command(
        name: "tasks", synopsis: "SERVICE stats | dead | replay [ENTRY… | --all]",
        summary: "Look at the queues and dead letters of a service's tasks; put dead letters back.",
        options: [
            Option(name: "folder", value: "PATH", help: "of the running platform (default .vitrine)"),
            Option(name: "redis", value: "URL", help: "of a platform that runs elsewhere (default REDIS_URL)"),
            Option(name: "limit", value: "N", help: "dead letters to show, 1 to 10000 (default 20)"),
            Option(name: "all", value: nil, help: "replay every dead letter"),
            Option(name: "task", value: "NAME", help: "with --all: only those of this task"),
        ]
    ) { arguments in
        guard arguments.positional.count >= 2 else { throw UsageError("name a service, and stats, dead or replay") }
        let service = try ServiceTable.named([arguments.positional[0]])[0]
        guard !service.ownTasks.isEmpty else { throw UsageError("the service '\(service.name)' has no tasks") }
        let url =
            arguments.options["redis"]
            ?? LocalFolder.endpoints(in: arguments.options["folder"] ?? ".vitrine")["REDIS_URL"]
            ?? ProcessSettings.environment()["REDIS_URL"]
        guard let url else {
            throw LocalStackError("nothing runs here: start the platform with 'vitrine up', or name a --redis")
        }
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let redis = RedisClient(configuration: .init(url: url), group: group, telemetry: .disabled())
        let status: Int32
        do {
            try await redis.start()
            status = try await arguments.look(after: TaskQueues(service: service.name, redis: redis))
        } catch {
            await redis.stop()
            throw error
        }
        await redis.stop()
        return status
    }
}

extension Arguments {
    /// - Returns: the exit status.
    fileprivate func look(after queues: TaskQueues) async throws -> Int32 {
        switch positional[1] {
        case "stats": try await showDepths(queues)
        case "dead": try await showDead(queues)
        case "replay": return try await replay(queues)
        default: throw UsageError("there is nothing to do called '\(positional[1])' (stats, dead, replay)")
        }
        return 0
    }

    private func showDepths(_ queues: TaskQueues) async throws {
        for depth in try await queues.depths() {
            let age = depth.oldestMilliseconds.flatMap { $0 > 0 ? "oldest \($0 / 1_000) s" : nil } ?? ""
            Terminal.standard.line(Usage.padded(depth.queue, 12) + Usage.padded("\(depth.tasks)", 9) + age)
        }
    }

    private func showDead(_ queues: TaskQueues) async throws {
        guard let limit = Int(options["limit"] ?? "20"), (1...TaskQueues.maxKept).contains(limit) else {
            throw UsageError("--limit takes a number from 1 to \(TaskQueues.maxKept)")
        }
        let letters = try await queues.list(limit: limit)
        if letters.isEmpty { Terminal.standard.line("no dead letters") }
        for letter in letters {
            let time = Timestamp(microseconds: letter.diedAtMilliseconds * 1_000)
            Terminal.standard.line(
                "\(letter.entry)  \(time)  \(letter.task)  \(letter.id)\n    \(letter.reason)")
        }
    }

    private func replay(_ queues: TaskQueues) async throws -> Int32 {
        let entries = positional.dropFirst(2)
        if flag("all") {
            guard entries.isEmpty else { throw UsageError("name dead letters, or say --all") }
            let count = try await queues.replayAll(task: options["task"])
            Terminal.standard.line("put back \(count) tasks")
            return 0
        }
        guard !entries.isEmpty else {
            throw UsageError("name the dead letters to replay ('dead' lists them), or --all")
        }
        var missing: Int32 = 0
        for entry in entries {
            if try await queues.replay(entry) {
                Terminal.standard.line("put back \(entry)")
            } else {
                Terminal.errors.line("there is no dead letter \(entry)")
                missing = 1
            }
        }
        return missing
    }
}
