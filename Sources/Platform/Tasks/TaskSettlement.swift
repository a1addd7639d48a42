internal import Redis

/// How the end of a run is written to Redis: acknowledged, with its result, put back, or buried. Each is one script, so
/// that a worker that dies meanwhile has either done it or not.
struct TaskSettlement: Sendable {
    let redis: RedisClient
    let keys: TaskKeys
    /// The name under which the worker's lane took the tasks.
    let consumer: String

    /// - Throws: `RedisError`; nothing is settled then, or the same call settles it again without harm.
    func apply(_ verdict: TaskVerdict, to run: TaskRun) async throws {
        let entry = run.entry
        switch verdict {
        case .succeeded(let body), .duplicate(let body):
            try await complete(run, .succeeded, body)
        case .refused(let refusal):
            if entry.keepsResultSeconds > 0 {
                try await complete(run, .refused, refusal.json)
            } else {
                try await acknowledge([run], in: run.taken.stream)
            }
        case .retry(let pause, _): try await putBack(run, afterMilliseconds: max(1, pause), attempt: entry.attempt + 1)
        case .postpone(let pause, _): try await putBack(run, afterMilliseconds: pause, attempt: entry.attempt)
        case .giveBack: try await putBack(run, afterMilliseconds: 0, attempt: entry.attempt)
        case .dead(let reason, let type): try await bury(run, reason, errorType: type)
        case .lost: break
        }
    }

    /// Ends tasks whose results nobody keeps.
    func acknowledge(_ runs: [TaskRun], in stream: String) async throws {
        _ = try await redis.run(
            TaskScripts.acknowledge, keys: [stream], arguments: [TaskKeys.group] + runs.map(\.taken.id))
    }

    private func complete(_ run: TaskRun, _ state: TaskStatus.State, _ body: String) async throws {
        let entry = run.entry
        _ = try await redis.run(
            TaskScripts.complete, keys: [run.taken.stream, keys.result(entry.id), keys.waiters(entry.id)],
            arguments: [TaskKeys.group, run.taken.id, entry.id, "\(entry.keepsResultSeconds)", state.rawValue, body])
    }

    private func putBack(_ run: TaskRun, afterMilliseconds pause: Int, attempt: Int) async throws {
        _ = try await redis.run(
            TaskScripts.putBack, keys: [run.taken.stream, keys.delayed],
            arguments: [TaskKeys.group, consumer, run.taken.id, "\(pause)", "\(attempt)"])
    }

    private func bury(_ run: TaskRun, _ reason: String, errorType: String) async throws {
        let entry = run.entry
        _ = try await redis.run(
            TaskScripts.bury,
            keys: [run.taken.stream, keys.dead, keys.result(entry.id), keys.waiters(entry.id)],
            arguments: [
                TaskKeys.group, consumer, run.taken.id, "\(TaskQueues.maxKept)", reason, entry.id,
                "\(entry.keepsResultSeconds)", errorType,
            ])
    }
}
