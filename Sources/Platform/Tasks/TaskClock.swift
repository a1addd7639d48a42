internal import EventLoop
internal import Locks
internal import Redis
internal import Synchronization
internal import Telemetry
internal import Values

/// A task that is enqueued by itself.
struct PeriodicTask: Sendable {
    let declaration: TaskDeclaration
    let milliseconds: Int
    let input: String
}

/// What happens by time in a worker: delayed tasks that are due go into their queues (any worker may move them),
/// periodic tasks are enqueued (one process has the lock), and the queues are measured.
final class TaskClock: Sendable {
    private let worker: TaskWorker
    private let periods: [PeriodicTask]
    private let loop: EventLoop
    private let locks: RedisLocks
    private let task = Mutex<Task<Void, Never>?>(nil)

    private static let tickMilliseconds: UInt64 = 200
    private static let promotedAtOnce = 200
    private static let leaseMilliseconds = 10_000
    private static let ticksPerSecond = 5
    private static let ticksPerMeasurement = 15
    private static let ticksPerCleaning = 1_500
    /// A worker that was not heard of for so long is not one any more.
    private static let forgottenMilliseconds = 3_600_000

    init(worker: TaskWorker, periods: [PeriodicTask], loop: EventLoop) {
        self.worker = worker
        self.periods = periods
        self.loop = loop
        locks = RedisLocks(worker.redis)
    }

    func start() {
        let running = loop.spawn { [self] in
            await TelemetryContext.$current.withValue(.unsampled) { await run() }
        }
        task.withLock { $0 = running }
    }

    func stop() async {
        let running = task.withLock { task in
            defer { task = nil }
            return task
        }
        running?.cancel()
        await running?.value
    }

    private func run() async {
        var lease: Lease?
        var ticks = 0
        while !Task.isCancelled {
            do {
                try await promote()
                if ticks % Self.ticksPerSecond == 0, !periods.isEmpty { lease = try await lead(lease) }
                if ticks % Self.ticksPerMeasurement == 0 { try await measure() }
                if ticks % Self.ticksPerCleaning == 0 { try await forgetConsumers() }
            } catch {
                // The lanes tell of it; here it is tried again anyway.
            }
            ticks += 1
            do { try await loop.sleep(milliseconds: Self.tickMilliseconds) } catch { break }
        }
        worker.telemetry.leader.set(0)
        guard let held = lease else { return }
        // In a task that is not cancelled, so that the next one leads at once.
        let locks = locks
        await Task { try? await locks.release(held) }.value
    }

    private func promote() async throws {
        var moved = Int64(Self.promotedAtOnce)
        while moved == Int64(Self.promotedAtOnce), !Task.isCancelled {
            moved =
                try await worker.redis.run(
                    TaskScripts.promote, keys: [worker.keys.delayed], arguments: ["\(Self.promotedAtOnce)"]
                ).integer ?? 0
        }
    }

    // MARK: Periodic tasks

    /// Keeps or takes the lock, and enqueues what is due.
    /// - Returns: the lease, as long as it is ours.
    private func lead(_ held: Lease?) async throws -> Lease? {
        var lease = held
        if let held, try await !locks.renew(held, forMilliseconds: Self.leaseMilliseconds) { lease = nil }
        if lease == nil {
            lease = try await locks.acquire(worker.keys.leader, forMilliseconds: Self.leaseMilliseconds)
            if lease != nil {
                worker.telemetry.logger.log(
                    TaskTelemetry.leading, "enqueues the periodic tasks of \(worker.service)")
            }
        }
        worker.telemetry.leader.set(lease == nil ? 0 : 1)
        guard let lease else { return nil }
        for period in periods where try await !enqueue(period, lease) { return nil }
        return lease
    }

    /// - Returns: false when the lease is not the newest any more: nothing was enqueued.
    private func enqueue(_ period: PeriodicTask, _ lease: Lease) async throws -> Bool {
        let name = period.declaration.name
        let entry = TaskEntry(id: Identifier.make(), task: name, input: period.input, key: nil)
        let answer = try await worker.redis.run(
            TaskScripts.enqueuePeriod,
            keys: [
                RedisLocks.key(lease.name), worker.keys.periods, worker.keys.stream(period.declaration.priority),
            ],
            arguments: ["\(lease.token)", name, "\(period.milliseconds)", "\(worker.limits.maxWaiting)"]
                + (try entry.fields())
        ).integer
        switch answer {
        case 1: worker.telemetry.enqueued.series(name, "accepted").increment()
        case -2: worker.telemetry.enqueued.series(name, "full").increment()
        default: break
        }
        return answer != -1
    }

    // MARK: Care

    private func measure() async throws {
        for depth in try await TaskQueues(service: worker.service, redis: worker.redis).depths() {
            worker.telemetry.depth.series(depth.queue).set(Double(depth.tasks))
            if let age = depth.oldestMilliseconds {
                worker.telemetry.oldest.series(depth.queue).set(Double(age) / 1_000)
            }
        }
    }

    private func forgetConsumers() async throws {
        _ = try await worker.redis.run(
            TaskScripts.forgetConsumers, keys: worker.keys.streams,
            arguments: [TaskKeys.group, "\(Self.forgottenMilliseconds)"])
    }
}
