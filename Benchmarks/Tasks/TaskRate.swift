import EventLoop
import Glibc
import LocalStack
import Redis
import Synchronization
import Tasks
import Telemetry

/// No-op tasks through one process that enqueues and runs them, on a Redis of its own with its append-only file.
struct TaskRate {
    let count: Int

    /// Callers that enqueue at once, on each loop.
    private static let producersPerLoop = 32
    private static let task = TaskDefinition<Int, Nothing>("noop", of: "bench")

    /// - Returns: tasks a second, from the first that is enqueued until the last is acknowledged.
    func measure() async throws -> Int {
        let folder = "/tmp/vitrine-tasks-bench-\(getpid())"
        let server = try RedisServer(folder: folder, port: try Ports.free())
        defer {
            server.stop()
            _ = try? Command.run(["rm", "-rf", folder])
        }
        let group = EventLoopGroup()
        let telemetry = DiscardedTelemetry.make()
        let redis = RedisClient(configuration: .init(url: server.url), group: group, telemetry: telemetry)
        try await redis.start()
        let taskTelemetry = TaskTelemetry(telemetry, redis: redis)
        let client = TaskClient(redis: redis, telemetry: taskTelemetry)
        var configuration = TaskWorker.Configuration()
        configuration.concurrencyPerLoop = 64
        let worker = TaskWorker(
            service: "bench", redis: redis, database: nil, group: group, telemetry: taskTelemetry,
            configuration: configuration)
        worker.on(Self.task) { _, _ in Nothing() }
        try await worker.start()
        // Connections, scripts and series are there before the clock runs.
        try await enqueue(min(count, 1_000), client, group)
        try await drained(redis)
        let start = TelemetryClock.system.monotonicNanoseconds()
        try await enqueue(count, client, group)
        try await drained(redis)
        let seconds = Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9
        await worker.stop()
        await client.stop()
        await redis.stop()
        group.shutdown()
        return Int(Double(count) / seconds)
    }

    private func enqueue(_ count: Int, _ client: TaskClient, _ group: EventLoopGroup) async throws {
        let lanes = group.loops.count * Self.producersPerLoop
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for lane in 0..<lanes {
                let loop = group.loops[lane % group.loops.count]
                tasks.addTask {
                    try await loop.run {
                        for number in stride(from: lane, to: count, by: lanes) {
                            try await client.enqueue(Self.task, number)
                        }
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }

    /// Waits until every task is acknowledged: an acknowledged entry is deleted.
    private func drained(_ redis: RedisClient) async throws {
        let queues = TaskQueues(service: "bench", redis: redis)
        while try await queues.depths().contains(where: { $0.tasks > 0 }) {
            try await Task.sleep(nanoseconds: 2_000_000)
        }
    }
}
