import EventLoop
import LocalStack
import Locks
import PostgreSQL
import Redis
import Telemetry
import Testing
import Values

@Suite struct LockTests {
    @Test func aRedisLockIsOneHoldersAndItsTokensGrow() async throws {
        let group = EventLoopGroup(count: 1)
        let redis = RedisClient(
            configuration: .init(url: try await TestServers.redis()), group: group, telemetry: .disabled())
        let locks = RedisLocks(redis)
        let name = Identifier.make()
        let first = try #require(try await locks.acquire(name, forMilliseconds: 60_000))
        #expect(try await locks.acquire(name, forMilliseconds: 60_000) == nil)
        #expect(try await locks.renew(first, forMilliseconds: 1))
        try await eventually("it has ended") { try await !locks.isCurrent(first) }
        let second = try #require(try await locks.acquire(name, forMilliseconds: 60_000))
        #expect(second.token > first.token)
        #expect(try await !locks.renew(first, forMilliseconds: 60_000))
        try await locks.release(first)
        #expect(try await locks.isCurrent(second))
        // Redis that lost its data gives no token twice.
        try await redis.delete(RedisLocks.key(name), RedisLocks.key(name) + ":token")
        let third = try #require(try await locks.acquire(name, forMilliseconds: 60_000))
        #expect(third.token >= second.token)
        await redis.stop()
        group.shutdown()
    }

    @Test func aWriteOfWhoLostAPostgreSQLLockIsRefused() async throws {
        let group = EventLoopGroup(count: 1)
        let database = PostgreSQLClient(
            configuration: .init(url: try await TestServers.postgresDatabase()), group: group, telemetry: .disabled())
        try await database.script(
            "CREATE", "CREATE TABLE protected (value int NOT NULL); " + PostgreSQLLocks.schema)
        let locks = PostgreSQLLocks(database)
        @Sendable func write(_ value: Int, _ lease: Lease) async throws {
            try await database.transaction { transaction in
                try await PostgreSQLLocks.check(lease, in: transaction)
                try await transaction.query("INSERT", "INSERT INTO protected VALUES (\(value))")
            }
        }
        let first = try #require(try await locks.acquire("job", forMilliseconds: 60_000))
        #expect(try await locks.acquire("job", forMilliseconds: 60_000) == nil)
        try await write(1, first)
        #expect(try await locks.renew(first, forMilliseconds: 1))
        var next: Lease?
        try await eventually("it has ended") {
            next = try await locks.acquire("job", forMilliseconds: 60_000)
            return next != nil
        }
        let second = try #require(next)
        #expect(second.token == first.token + 1)
        await #expect(throws: LeaseLost.self) { try await write(2, first) }
        #expect(try await !locks.renew(first, forMilliseconds: 60_000))
        try await locks.release(first)
        try await write(3, second)
        try await locks.release(second)
        #expect(try await locks.acquire("job", forMilliseconds: 60_000)?.token == second.token + 1)
        let values = try await database.query("SELECT", "SELECT value FROM protected ORDER BY value").rows
        #expect(try values.map { try $0.get("value", as: Int.self) } == [1, 3])
        await database.stop()
        group.shutdown()
    }
}
