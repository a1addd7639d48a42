import Locks
import Redis
@testable import Tasks
import TelemetryTesting
import Testing

@Suite struct PeriodicTests {
    @Test func aPeriodHasOneRunOverAllWorkersAndSurvivesItsLeader() async throws {
        try await TaskWorld.with { world in
            let seen = Tally()
            let task = world.task("tick", Int.self, Nothing.self)
            func start() async throws -> TaskWorker {
                try await world.work { worker in
                    worker.on(task) { _, _ in
                        seen.add("run")
                        return Nothing()
                    }
                    try worker.every(seconds: 1, task, 0)
                }
            }
            let workers = [try await start(), try await start()]
            try await eventually("it ran") { seen["run"] >= 1 }
            // Whichever leads goes now; the other one takes over.
            await workers[0].stop()
            let before = seen["run"]
            try await eventually("it goes on without one of them") { seen["run"] >= before + 1 }
            await workers[1].stop()

            let last = try await world.redis.command("HGET", "tasks:{\(world.service)}:periods", "tick").text.flatMap(
                Int.init)
            let enqueued = try #require(
                world.capture.value(#"tasks_enqueued_total{task="tick",outcome="accepted"}"#))
            // One a period: the one that was noted first had none.
            let first = try #require(last) - Int(enqueued)
            #expect(seen["run"] <= Int(enqueued) && first > 0)
            #expect(world.capture.value("task_leader") == 0)
        }
    }

    @Test func onlyTheNewestLeaseEnqueuesAndOnlyOnceAPeriod() async throws {
        try await TaskWorld.with { world in
            let keys = TaskKeys(service: world.service)
            let locks = RedisLocks(world.redis)
            let old = try #require(try await locks.acquire(keys.leader, forMilliseconds: 60_000))
            try await locks.release(old)
            let new = try #require(try await locks.acquire(keys.leader, forMilliseconds: 60_000))
            let entry = TaskEntry(id: "i", task: "t", input: "{}", key: nil)
            func enqueue(_ lease: Lease, limit: Int = 10) async throws -> Int64? {
                try await world.redis.run(
                    TaskScripts.enqueuePeriod,
                    keys: [RedisLocks.key(keys.leader), keys.periods, keys.stream(.normal)],
                    arguments: ["\(lease.token)", "t", "3600000000", "\(limit)"] + (try entry.fields())
                ).integer
            }
            #expect(try await enqueue(old) == -1)
            // The period under way when it is first seen is only noted.
            #expect(try await enqueue(new) == 0)
            try await world.redis.command("HSET", keys.periods, "t", "1")
            #expect(try await enqueue(old) == -1)
            #expect(try await enqueue(new) == 1)
            #expect(try await enqueue(new) == 0)
            #expect(try await world.depth("normal") == 1)
            try await world.redis.command("HSET", keys.periods, "t", "1")
            #expect(try await enqueue(new, limit: 1) == -2)
        }
    }
}
