import EventLoop
import LocalStack
import PostgreSQL
import Telemetry
import TelemetryTesting
import Testing

/// What goes wrong between a client and its database, with one connection, so that each fault meets the next statement.
@Suite struct PostgreSQLFaultTests {
    private func withClient(_ body: (PostgreSQLClient) async throws -> Void) async throws {
        var configuration = PostgreSQLClient.Configuration(url: try await TestServers.postgresDatabase())
        configuration.poolSizePerLoop = 1
        let group = EventLoopGroup(count: 1)
        let client = PostgreSQLClient(configuration: configuration, group: group, telemetry: .disabled())
        try await client.start()
        do { try await body(client) } catch {
            await client.stop()
            group.shutdown()
            throw error
        }
        await client.stop()
        group.shutdown()
    }

    private func one(_ client: PostgreSQLClient) async throws -> Int {
        try await client.query("SELECT one", "SELECT 1 AS x").first?.get("x") ?? 0
    }

    @Test func aCancellationNeverHitsTheNextStatement() async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            for _ in 0..<60 {
                let task = Task { try await client.query("SELECT pg_sleep", "SELECT pg_sleep(0.004)") }
                try await Task.sleep(nanoseconds: UInt64.random(in: 2_000_000...6_000_000))
                task.cancel()
                let next = Task { try await client.query("SELECT pg_sleep", "SELECT pg_sleep(0.005)") }
                _ = try? await task.value
                _ = try await next.value
            }
        }
    }

    @Test func aZeroByteIsRefusedRatherThanCutOff() async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            await #expect {
                try await client.query("SELECT text", "SELECT \("known\0hidden")::text AS t")
            } throws: { error in
                if case PostgreSQLError.invalidParameter = error { true } else { false }
            }
            #expect(try await one(client) == 1)
        }
    }

    @Test(arguments: ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"])
    func copyEndsWithAnErrorAndWithoutALoop(_ text: String) async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            await #expect(throws: PostgreSQLError.self) { try await client.script("COPY", text) }
            #expect(try await one(client) == 1)
        }
    }

    @Test func messagesOfBadValuesDoNotQuoteThem() async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            await #expect {
                try await client.query("SELECT cast", "SELECT \("4111 \"1111")::text::int AS x")
            } throws: { error in
                guard case PostgreSQLError.server("22P02", let message, _) = error else { return false }
                return !message.contains("4111") && !message.contains("1111") && message.contains("integer")
            }
        }
    }

    @Test func aStatementSurvivesAChangeOfItsTable() async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            try await client.script("CREATE TABLE", "CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
            for type in ["bigint", "text"] {
                _ = try await client.query("SELECT t", "SELECT * FROM t")
                try await client.script("ALTER TABLE", "ALTER TABLE t ALTER a TYPE \(type)")
                #expect(try await client.query("SELECT t", "SELECT * FROM t").first?.get("a", as: String.self) == "7")
            }
            try await client.script("DEALLOCATE", "DEALLOCATE ALL")
            #expect(try await client.query("SELECT t", "SELECT * FROM t").count == 1)
        }
    }

    @Test func theDeadlineOfTheRequestEndsAStatementAndLeavesTheConnectionUsable() async throws {
        try await withClient { (client: PostgreSQLClient) async throws in
            try await client.script("CREATE TABLE", "CREATE TABLE t (a int)")
            let clock = TelemetryClock.system
            let context = TelemetryContext(deadline: clock.monotonicNanoseconds() + 100_000_000)
            try await TelemetryContext.$current.withValue(context) { () async throws in
                await #expect {
                    try await client.transaction { tx in
                        try await tx.query("INSERT t", "INSERT INTO t VALUES (1)")
                        try await tx.query("SELECT pg_sleep", "SELECT pg_sleep(20)")
                    }
                } throws: { error in
                    if case PostgreSQLError.deadlineExceeded = error { true } else { false }
                }
                await #expect(throws: PostgreSQLError.self) { _ = try await one(client) }
            }
            #expect(try await client.query("SELECT t", "SELECT * FROM t").count == 0)
            let backends = try await client.query(
                "SELECT backends", "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%'")
            #expect(try backends.first?.get("n", as: Int.self) == 1, "only this question itself")
        }
    }
}
