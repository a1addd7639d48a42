import Glibc
import LocalStack
import PostgreSQL
import Redis
import Tasks
import Testing

/// Workers as processes of their own, killed as by `kill -9` while they work.
@Suite struct KillTests {
    private struct Effect: Codable, Sendable {
        let number: Int
        let milliseconds: Int
    }

    private static let tasks = 1_000
    private static let workers = 3
    private static let kills = 12

    @Test func killingWorkersAtRandomLosesNoTaskAndDoublesNoEffect() async throws {
        let databaseURL = try await TestServers.postgresDatabase()
        let redisURL = try await TestServers.redis()
        let folder = try TemporaryFolder()
        try await TaskWorld.with(redis: redisURL, database: databaseURL) { world in
            let database = try #require(world.database)
            try await database.script(
                "CREATE", "CREATE TABLE effects (number int NOT NULL, process int NOT NULL); " + ProcessedTasks.schema)
            let program = try Self.program()
            func start(_ number: Int) throws -> ChildProcess {
                try ChildProcess(
                    name: "worker \(number)", [program, "worker", world.service, redisURL, databaseURL],
                    deathSignal: "KILL", logPath: "\(folder.path)/worker-\(number).log")
            }
            func effects() async throws -> Int {
                let row = try await database.query("SELECT", "SELECT count(*)::int AS n FROM effects").first
                return try row?.get("n") ?? 0
            }
            var running = try (0..<Self.workers).map(start)
            defer { for process in running { process.stop(signal: SIGKILL) } }

            let effect = world.task("effect", Effect.self, Nothing.self, effect: .once)
            let client = world.client
            let producer = Task {
                for number in 0..<Self.tasks {
                    try await client.enqueue(effect, Effect(number: number, milliseconds: .random(in: 0...100)))
                }
            }
            // Each kill hits work: it comes when more was done since the one before.
            for kill in 1...Self.kills {
                let goal = kill * Self.tasks / (Self.kills + 1)
                try await eventually("\(goal) effects") { try await effects() >= goal }
                let victim = Int.random(in: 0..<running.count)
                running[victim].signal(SIGKILL)
                try await eventually("it is dead") { !running[victim].isRunning }
                running[victim] = try start(Self.workers + kill)
            }
            try await producer.value
            try await eventually("all have had their effect") { try await effects() >= Self.tasks }
            try await eventually("all are acknowledged") { try await world.depth("normal") == 0 }
            try await eventually("none is put off") { try await world.depth("delayed") == 0 }

            let row = try #require(
                try await database.query(
                    "SELECT", "SELECT count(*)::int AS n, count(DISTINCT number)::int AS distinct_n FROM effects"
                ).first)
            #expect(try row.get("n", as: Int.self) == Self.tasks)
            #expect(try row.get("distinct_n", as: Int.self) == Self.tasks)
            #expect(try await world.depth("dead") == 0)
        }
    }

    /// `tasks-bench`, built beside this test.
    private static func program() throws -> String {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &bytes, bytes.count - 1)
        let own = String(decoding: bytes[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = own.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let path = folder + "/tasks-bench"
        try #require(access(path, X_OK) == 0, "\(path) is not built")
        return path
    }
}
