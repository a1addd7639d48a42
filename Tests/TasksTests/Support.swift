import EventLoop
import LocalStack
import PostgreSQL
import Redis
import Synchronization
@testable import Tasks
import Telemetry
import TelemetryTesting
import Testing
import Values

/// A service of its own on the shared Redis: nothing of one test is seen by another.
final class TaskWorld: Sendable {
    let service = "t" + Identifier.make().prefix(8)
    let group: EventLoopGroup
    let redis: RedisClient
    let database: PostgreSQLClient?
    let capture: TelemetryCapture
    let telemetry: TaskTelemetry
    let client: TaskClient
    private let workers = Mutex<[TaskWorker]>([])

    private init(
        redis url: String, database: String?, limits: TaskClient.Limits, loops: Int, capture: TelemetryCapture
    ) {
        self.capture = capture
        let group = EventLoopGroup(count: loops)
        self.group = group
        self.redis = RedisClient(configuration: .init(url: url), group: group, telemetry: capture.telemetry)
        self.database = database.map {
            PostgreSQLClient(configuration: .init(url: $0), group: group, telemetry: .disabled())
        }
        telemetry = TaskTelemetry(capture.telemetry, redis: self.redis)
        client = TaskClient(redis: self.redis, limits: limits, telemetry: telemetry)
    }

    static func with(
        redis: String? = nil, database: String? = nil, limits: TaskClient.Limits = .init(), loops: Int = 2,
        capture: TelemetryCapture = TelemetryCapture(), _ body: (TaskWorld) async throws -> Void
    ) async throws {
        let url = if let redis { redis } else { try await TestServers.redis() }
        let world = TaskWorld(redis: url, database: database, limits: limits, loops: loops, capture: capture)
        do { try await body(world) } catch {
            await world.end()
            throw error
        }
        await world.end()
    }

    private func end() async {
        for worker in workers.withLock({ $0 }) { await worker.stop() }
        await client.stop()
        await redis.stop()
        await database?.stop()
        group.shutdown()
    }

    func task<Input: Codable & Sendable, Output: Codable & Sendable>(
        _ name: String, _ input: Input.Type = Input.self, _ output: Output.Type = Output.self,
        effect: TaskEffect = .repeatable, priority: TaskPriority = .normal, retry: TaskRetry = quickRetry,
        timeLimitSeconds: Int = 60
    ) -> TaskDefinition<Input, Output> {
        TaskDefinition(
            name, of: service, effect: effect, priority: priority, retry: retry, timeLimitSeconds: timeLimitSeconds)
    }

    /// Retries that a test need not wait for.
    static let quickRetry = TaskRetry(maxAttempts: 3, baseMilliseconds: 1, capMilliseconds: 1)

    func makeWorker(_ configure: (inout TaskWorker.Configuration) -> Void = { _ in }) -> TaskWorker {
        var configuration = TaskWorker.Configuration()
        configure(&configuration)
        return TaskWorker(
            service: service, redis: redis, database: database, group: group, telemetry: telemetry,
            configuration: configuration)
    }

    /// Starts a worker that is stopped with the world.
    @discardableResult
    func work(
        _ configure: (inout TaskWorker.Configuration) -> Void = { _ in }, _ register: (TaskWorker) throws -> Void
    ) async throws -> TaskWorker {
        let worker = makeWorker(configure)
        try register(worker)
        try await worker.start()
        workers.withLock { $0.append(worker) }
        return worker
    }

    var queues: TaskQueues { TaskQueues(service: service, redis: redis) }

    func depth(_ queue: String) async throws -> Int {
        try await queues.depths().first { $0.queue == queue }?.tasks ?? -1
    }
}

/// Waits until a condition holds, and ends the test where it does not.
func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    if try await TelemetryTesting.eventually(condition) { return }
    Issue.record("not within a minute: \(what)", sourceLocation: sourceLocation)
    throw NeverHappened()
}

struct NeverHappened: Error {}

/// Something that handlers count.
final class Tally: Sendable {
    private let state = Mutex<[String: Int]>([:])
    func add(_ key: String) { state.withLock { $0[key, default: 0] += 1 } }
    subscript(_ key: String) -> Int { state.withLock { $0[key] ?? 0 } }
    var total: Int { state.withLock { $0.values.reduce(0, +) } }
    var all: [String: Int] { state.withLock { $0 } }
}

/// A folder that is gone with this object.
final class TemporaryFolder {
    let path = "/tmp/vitrine-tasks-" + Identifier.make()
    init() throws { _ = try Command.run(["mkdir", "-p", path]) }
    deinit { _ = try? Command.run(["rm", "-rf", path]) }
}
