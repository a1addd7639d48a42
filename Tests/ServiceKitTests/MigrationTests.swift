import LocalStack
import PostgreSQL
import ServiceKit
import Telemetry
import Testing

@Suite struct MigrationTests {
    private static let first = Migration(
        1, "create_things",
        Array(
            """
            -- up
            CREATE TABLE things (id int PRIMARY KEY);
            INSERT INTO things VALUES (1);
            -- down
            DROP TABLE things;
            """.utf8))
    private static let second = Migration(
        2, "name_things",
        Array("-- up\nALTER TABLE things ADD COLUMN name text;\n-- down\nALTER TABLE things DROP COLUMN name;\n".utf8))

    private func withDatabase<T>(
        _ body: (PostgreSQLClient, MigrationRunner) async throws -> T
    ) async throws -> T {
        let url = try await TestServers.postgresDatabase()
        let client = PostgreSQLClient(
            configuration: .init(url: url), group: TestService.group, telemetry: .disabled())
        do {
            let result = try await body(client, MigrationRunner(database: client, service: "till"))
            await client.stop()
            return result
        } catch {
            await client.stop()
            throw error
        }
    }

    private func count(_ client: PostgreSQLClient, _ sql: SQL) async throws -> Int {
        try await client.query("SELECT", sql).first?.get("n") ?? -1
    }

    @Test func stepsAreAppliedOnceAndInOrder() async throws {
        try await withDatabase { (client, runner) async throws in
            let applied = try await runner.up([Self.second, Self.first])
            #expect(applied.suffix(2) == ["1_create_things", "2_name_things"])
            #expect(try await runner.up([Self.first, Self.second]).isEmpty)
            #expect(try await count(client, "SELECT count(*) AS n FROM things") == 1)
            #expect(try await count(client, "SELECT count(*) AS n FROM outbox") == 0)
            #expect(try await count(client, "SELECT count(*) AS n FROM inbox") == 0)
        }
    }

    @Test func aChangedFileIsRefusedByName() async throws {
        try await withDatabase { (_, runner) async throws in
            _ = try await runner.up([Self.first])
            let changed = Migration(1, "create_things", Array("-- up\nSELECT 1;\n".utf8))
            await #expect {
                _ = try await runner.up([changed])
            } throws: { error in
                (error as? MigrationError)?.description.hasPrefix("1_create_things was changed after") ?? false
            }
        }
    }

    @Test func aStepThatFailsLeavesNothingBehind() async throws {
        try await withDatabase { (client, runner) async throws in
            let broken = Migration(
                2, "break_things", Array("-- up\nCREATE TABLE half (id int);\nSELECT nonsense;\n".utf8))
            await #expect {
                _ = try await runner.up([Self.first, broken])
            } throws: { error in
                (error as? MigrationError)?.description.hasPrefix("2_break_things failed: ") ?? false
            }
            #expect(try await count(client, "SELECT count(*) AS n FROM pg_tables WHERE tablename = 'half'") == 0)
            #expect(try await runner.up([Self.first, Self.second]) == ["2_name_things"])
        }
    }

    @Test func stepsAreUndoneDownToAVersion() async throws {
        try await withDatabase { (client, runner) async throws in
            _ = try await runner.up([Self.first, Self.second])
            #expect(try await runner.down([Self.first, Self.second], to: 1) == ["2_name_things"])
            #expect(
                try await count(
                    client,
                    "SELECT count(*) AS n FROM information_schema.columns WHERE table_name = 'things' AND column_name = 'name'"
                ) == 0)
            #expect(try await runner.down([Self.first, Self.second], to: 0) == ["1_create_things"])
            #expect(try await runner.up([Self.first, Self.second]) == ["1_create_things", "2_name_things"])
        }
    }

    @Test func severalStartsAtOnceApplyEachStepOnce() async throws {
        let url = ServiceDatabase.url(server: try await TestServers.postgresServer(), database: "till_concurrent")
        let definition = ServiceDefinition(
            name: "till", summary: "", port: 0, database: "till_concurrent", migrations: [Self.first, Self.second]
        ) { _ in }
        let applied = try await withThrowingTaskGroup(of: [String].self) { tasks in
            for _ in 0..<5 {
                tasks.addTask {
                    try await ServiceHost.migrate(
                        definition, values: ["TILL_DATABASE_URL": url], group: TestService.group)
                }
            }
            return try await tasks.reduce(into: [String]()) { $0 += $1 }
        }
        #expect(Set(applied).count == applied.count)
        #expect(applied.filter { $0 == "1_create_things" || $0 == "2_name_things" }.count == 2)
    }
}
