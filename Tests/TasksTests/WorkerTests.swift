import LocalStack
import PostgreSQL
import Redis
import Synchronization
@testable import Tasks
import TelemetryTesting
import Testing

@Suite struct WorkerTests {
    @Test func aTaskOfAWorkerThatIsGoneIsTakenOver() async throws {
        try await TaskWorld.with { world in
            let seen = Tally()
            let task = world.task("orphan", Int.self, Nothing.self)
            try await world.makeWorker().makeGroups()
            try await world.client.enqueue(task, 1)
            let stream = "tasks:{\(world.service)}:normal"
            try await world.redis.command(
                "XREADGROUP", "GROUP", "workers", "a ghost", "COUNT", "1", "STREAMS", stream, ">")
            try await world.work {
                $0.visibilityMilliseconds = 400
            } _: { worker in
                worker.on(task) { _, _ in
                    seen.add("run")
                    return Nothing()
                }
            }
            try await eventually("the orphan is done") { try await world.depth("normal") == 0 }
            #expect(seen["run"] >= 1)
            #expect(world.capture.value("tasks_reclaimed_total") ?? 0 >= 1)
        }
    }

    @Test func aTaskThatKillsItsWorkersIsGivenUp() async throws {
        try await TaskWorld.with { world in
            let seen = Tally()
            let task = world.task("deadly", Int.self, Nothing.self)
            try await world.makeWorker().makeGroups()
            try await world.client.enqueue(task, 1)
            let stream = "tasks:{\(world.service)}:normal"
            try await world.redis.command(
                "XREADGROUP", "GROUP", "workers", "ghost 1", "COUNT", "1", "STREAMS", stream, ">")
            for ghost in 2...5 {
                try await world.redis.command("XAUTOCLAIM", stream, "workers", "ghost \(ghost)", "0", "0-0")
            }
            try await world.work {
                $0.visibilityMilliseconds = 400
            } _: { worker in
                worker.on(task) { _, _ in
                    seen.add("run")
                    return Nothing()
                }
            }
            try await eventually("it is given up") { try await world.depth("dead") == 1 }
            #expect(seen["run"] == 0)
            let reason = try await world.queues.list(limit: 1).first?.reason
            #expect(reason?.hasSuffix("workers died or hung while they ran it") == true)
        }
    }

    @Test func onlyTheOwnerOfATaskKeepsSettlesOrPutsItBack() async throws {
        try await TaskWorld.with { world in
            let task = world.task("claimed", Int.self, Nothing.self)
            try await world.makeWorker().makeGroups()
            try await world.client.enqueue(task, 1)
            let keys = TaskKeys(service: world.service)
            let stream = keys.stream(.normal)
            let reply = try await world.redis.command(
                "XREADGROUP", "GROUP", "workers", "owner", "COUNT", "1", "STREAMS", stream, ">")
            let entry = try #require(TakenEntry.reading(reply).first)

            func extend(_ consumer: String) async throws -> Int? {
                try await world.redis.run(
                    TaskScripts.extend, keys: [stream], arguments: ["workers", consumer, entry.id]
                ).array?.count
            }
            #expect(try await extend("owner") == 0)
            #expect(try await extend("somebody") == 1)

            func putBack(_ consumer: String) async throws -> Int64? {
                try await world.redis.run(
                    TaskScripts.putBack, keys: [stream, keys.delayed],
                    arguments: ["workers", consumer, entry.id, "0", "1"]
                ).integer
            }
            #expect(try await putBack("somebody") == 0)
            #expect(try await putBack("owner") == 1)
            #expect(try await putBack("owner") == 0)
            #expect(try await world.depth("normal") == 1)
        }
    }

    @Test func stoppingGivesBackWhatTakesTooLong() async throws {
        try await TaskWorld.with { world in
            let attempts = Mutex<[Int]>([])
            let isStubborn = Mutex(true)
            let task = world.task("long", Int.self, Nothing.self)
            let register: (TaskWorker) -> Void = { worker in
                worker.on(task) { _, context in
                    attempts.withLock { $0.append(context.attempt) }
                    if isStubborn.withLock({ $0 }) { try await Task.sleep(nanoseconds: 3_600_000_000_000) }
                    return Nothing()
                }
            }
            let first = try await world.work {
                $0.drainMilliseconds = 50
            } _: {
                register($0)
            }
            try await world.client.enqueue(task, 1)
            try await eventually("it runs") { attempts.withLock { $0.count } == 1 }
            await first.stop()
            #expect(try await world.depth("normal") == 1)
            isStubborn.withLock { $0 = false }
            try await world.work { register($0) }
            try await eventually("another worker did it") { try await world.depth("normal") == 0 }
            #expect(attempts.withLock { $0 } == [1, 1])
        }
    }

    @Test func stoppingLetsWhatRunsFinish() async throws {
        try await TaskWorld.with { world in
            let isRunning = Mutex(false)
            let mayEnd = Mutex(false)
            let task = world.task("finishing", Int.self, Int.self)
            let worker = try await world.work {
                $0.drainMilliseconds = 60_000
            } _: { worker in
                worker.on(task) { number, _ in
                    isRunning.withLock { $0 = true }
                    try await eventually("it may end") { mayEnd.withLock { $0 } }
                    return number
                }
            }
            let id = try await world.client.enqueue(task, 7, TaskOptions(keepsResultSeconds: 600))
            try await eventually("it runs") { isRunning.withLock { $0 } }
            async let stopped: Void = worker.stop()
            mayEnd.withLock { $0 = true }
            await stopped
            #expect(try await world.client.status(of: id, of: world.service).state == .succeeded)
        }
    }

    @Test func neverMoreRunAtOnceThanMay() async throws {
        try await TaskWorld.with { world in
            let state = Mutex((now: 0, most: 0, done: 0))
            let task = world.task("bounded", Int.self, Nothing.self)
            for number in 0..<60 { try await world.client.enqueue(task, number) }
            try await world.work {
                $0.concurrencyPerLoop = 4
            } _: { worker in
                worker.on(task) { _, _ in
                    state.withLock {
                        $0.now += 1
                        $0.most = max($0.most, $0.now)
                    }
                    try await Task.sleep(nanoseconds: 2_000_000)
                    state.withLock {
                        $0.now -= 1
                        $0.done += 1
                    }
                    return Nothing()
                }
            }
            try await eventually("all ran") { state.withLock { $0.done } == 60 }
            #expect(state.withLock { $0.most } <= 8)
        }
    }

    @Test func tasksOfOneKeyHaveOneEffect() async throws {
        try await TaskWorld.with(database: try await TestServers.postgresDatabase()) { world in
            let database = try #require(world.database)
            try await makeTables(database)
            let task = world.task("pay", Int.self, String.self, effect: .once)
            try await world.work { worker in
                worker.once(task) { amount, context, transaction in
                    try await transaction.query("INSERT effects", "INSERT INTO effects (amount) VALUES (\(amount))")
                    return "paid \(amount)"
                }
            }
            let options = TaskOptions(key: "invoice-1")
            #expect(try await world.client.run(task, 10, waitSeconds: 60, options) == "paid 10")
            #expect(try await world.client.run(task, 99, waitSeconds: 60, options) == "paid 10")
            #expect(try await world.client.run(task, 20, waitSeconds: 60) == "paid 20")
            let sum = try await database.query("SELECT", "SELECT sum(amount)::int AS sum FROM effects").first
            #expect(try sum?.get("sum", as: Int.self) == 30)
            #expect(world.capture.value(#"task_runs_total{task="pay",outcome="duplicate"}"#) == 1)
        }
    }

    @Test func anEffectThatFailedLeavesNoMark() async throws {
        try await TaskWorld.with(database: try await TestServers.postgresDatabase()) { world in
            let database = try #require(world.database)
            try await makeTables(database)
            let task = world.task("unsteady", Int.self, Int.self, effect: .once)
            try await world.work { worker in
                worker.once(task) { amount, context, transaction in
                    try await transaction.query("INSERT effects", "INSERT INTO effects (amount) VALUES (\(amount))")
                    if context.attempt == 1 { throw NeverHappened() }
                    return amount
                }
            }
            #expect(try await world.client.run(task, 5, waitSeconds: 60) == 5)
            let count = try await database.query("SELECT", "SELECT count(*)::int AS n FROM effects").first
            #expect(try count?.get("n", as: Int.self) == 1)
        }
    }

    @Test func redisThatIsKilledLosesNothingThatWasAccepted() async throws {
        let folder = try TemporaryFolder()
        let port = try Ports.free()
        var server = try RedisServer(folder: folder.path, port: port)
        defer { server.stop() }
        try await TaskWorld.with(redis: server.url) { world in
            // Else an answer may come two seconds before its write, when the disk is slow.
            try await world.redis.command("CONFIG", "SET", "appendfsync", "always")
            let accepted = Tally()
            let seen = Tally()
            let task = world.task("survivor", String.self, Nothing.self)
            try await world.work {
                $0.visibilityMilliseconds = 2_000
            } _: { worker in
                worker.on(task) { number, _ in
                    seen.add(number)
                    return Nothing()
                }
            }
            let producer = Task { try await produce(400, task, world.client, accepted) }
            try await eventually("some are accepted") { accepted.total > 100 }
            server.process.signal(9)
            try await eventually("Redis is gone") { !server.process.isRunning }
            server = try RedisServer(folder: folder.path, port: port)
            try await producer.value
            try await eventually("a task is accepted again") {
                (try? await world.client.enqueue(task, "last")) != nil
            }
            let promised = accepted.all.keys
            try await eventually("all that was accepted ran") { promised.allSatisfy { seen[$0] > 0 } }
            try await eventually("nothing is left") { (try? await world.depth("normal")) == 0 }
        }
    }

    /// Enqueues numbers on four lanes at once, and notes those that were accepted.
    private func produce(
        _ count: Int, _ task: TaskDefinition<String, Nothing>, _ client: TaskClient, _ accepted: Tally
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<4 {
                group.addTask {
                    for number in 0..<(count / 4) {
                        if (try? await client.enqueue(task, "\(lane) \(number)")) != nil {
                            accepted.add("\(lane) \(number)")
                        } else {
                            try await Task.sleep(nanoseconds: 10_000_000)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func makeTables(_ database: PostgreSQLClient) async throws {
        try await database.script("CREATE", "CREATE TABLE effects (amount int NOT NULL); " + ProcessedTasks.schema)
    }
}
