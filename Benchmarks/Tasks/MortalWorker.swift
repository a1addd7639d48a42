import EventLoop
import Glibc
import PostgreSQL
import Redis
import Tasks
import Telemetry

/// A worker whose effects can be counted, for a test that kills it at any moment.
enum MortalWorker {
    /// A task whose effect is a row of `effects`; it takes so many milliseconds between the row and the commit.
    struct Effect: Codable, Sendable {
        let number: Int
        let milliseconds: Int
    }

    static func run(service: String, redis url: String, database databaseURL: String) async throws {
        let group = EventLoopGroup(count: 1)
        let redis = RedisClient(configuration: .init(url: url), group: group, telemetry: .disabled())
        let database = PostgreSQLClient(
            configuration: .init(url: databaseURL), group: group, telemetry: .disabled())
        try await redis.start()
        try await database.start()
        var configuration = TaskWorker.Configuration()
        configuration.concurrencyPerLoop = 6
        configuration.visibilityMilliseconds = 1_500
        // Here workers die all the time, and no task is to blame.
        configuration.maxDeliveries = 1_000
        let worker = TaskWorker(
            service: service, redis: redis, database: database, group: group,
            telemetry: TaskTelemetry(.disabled(), redis: redis), configuration: configuration)
        let effect = TaskDefinition<Effect, Nothing>(
            "effect", of: service, effect: .once, retry: TaskRetry(maxAttempts: 1_000, capMilliseconds: 1_000))
        worker.once(effect) { effect, _, transaction in
            try await transaction.query(
                "INSERT effects", "INSERT INTO effects (number, process) VALUES (\(effect.number), \(Int(getpid())))")
            try await Task.sleep(nanoseconds: UInt64(effect.milliseconds) * 1_000_000)
            return Nothing()
        }
        try await worker.start()
        while true { try await Task.sleep(nanoseconds: 3_600_000_000_000) }
    }
}
