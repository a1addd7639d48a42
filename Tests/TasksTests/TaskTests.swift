import Redis
import Security
import Synchronization
@testable import Tasks
import Telemetry
import TelemetryTesting
import Testing

@Suite struct TaskTests {
    @Test func everyTaskRunsOnceAndLeavesNothingBehind() async throws {
        try await TaskWorld.with { world in
            let seen = Tally()
            let task = world.task("count", Int.self, Nothing.self)
            try await world.work { worker in
                worker.on(task) { number, _ in
                    seen.add("\(number)")
                    return Nothing()
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 { group.addTask { try await world.client.enqueue(task, number) } }
                try await group.waitForAll()
            }
            try await eventually("all ran and are acknowledged") {
                let depth = try await world.depth("normal")
                return seen.total >= 200 && depth == 0
            }
            #expect(seen.all.count == 200 && seen.all.values.allSatisfy { $0 == 1 })
            #expect(world.capture.value(#"tasks_enqueued_total{task="count",outcome="accepted"}"#) == 200)
            #expect(world.capture.value(#"task_runs_total{task="count",outcome="success"}"#) == 200)
            try await eventually("nothing runs") { world.capture.value("tasks_running") == 0 }
        }
    }

    @Test func theResultComesToWhoeverWaits() async throws {
        try await TaskWorld.with { world in
            let task = world.task("double", Int.self, Int.self)
            try await world.work { $0.on(task) { number, _ in number * 2 } }
            // Nobody would wait for an hour: it is told.
            #expect(try await world.client.run(task, 21, waitSeconds: 3_600) == 42)
            var options = TaskOptions(keepsResultSeconds: 600)
            options.identity = Identity(userID: "u1", username: "u", roles: ["user"], companyID: "c")
            let id = try await world.client.enqueue(task, 4, options)
            let other = TaskClient(redis: world.redis, telemetry: world.telemetry)
            #expect(try await other.result(of: task, id: id, waitSeconds: 3_600) == 8)
            let status = try await other.status(of: id, of: world.service)
            #expect(status == TaskStatus(task: "double", state: .succeeded, ownerText: "u1 c", body: "8"))
            await other.stop()
        }
    }

    @Test func waitingEndsWithTheDeadlineOfTheRequest() async throws {
        try await TaskWorld.with { world in
            let task = world.task("never", Int.self, Int.self)
            let id = try await world.client.enqueue(task, 1, TaskOptions(keepsResultSeconds: 600))
            let now = TelemetryClock.system.monotonicNanoseconds()
            await TelemetryContext.$current.withValue(TelemetryContext(deadline: now + 300_000_000)) {
                await #expect(throws: TaskError.notFinished(id: id)) {
                    try await world.client.result(of: task, id: id, waitSeconds: 3_600)
                }
            }
            await #expect(throws: TaskError.unknown(id: "x")) {
                try await world.client.result(of: task, id: "x", waitSeconds: 1)
            }
        }
    }

    @Test func aRefusalIsAnAnswerAndNotTriedAgain() async throws {
        try await TaskWorld.with { world in
            let runs = Tally()
            let task = world.task("refuse", Int.self, Int.self)
            let refusal = TaskRefusal(status: 404, code: "not_found", message: "There is none")
            try await world.work { worker in
                worker.on(task) { _, _ in
                    runs.add("run")
                    throw refusal
                }
            }
            await #expect(throws: refusal) { try await world.client.run(task, 1, waitSeconds: 60) }
            #expect(runs["run"] == 1)
            #expect(try await world.depth("dead") == 0)
        }
    }

    @Test func aFailureIsTriedAgainThenGivenUpThenReplayed() async throws {
        try await TaskWorld.with { world in
            let runs = Tally()
            let isBroken = Mutex(true)
            let task = world.task("fragile", String.self, String.self)
            try await world.work { worker in
                worker.on(task) { input, context in
                    runs.add("attempt \(context.attempt)")
                    if isBroken.withLock({ $0 }) { throw NeverHappened() }
                    return input
                }
            }
            let request = TelemetryContext(requestID: "request-9")
            let id = try await TelemetryContext.$current.withValue(request) {
                try await world.client.enqueue(task, "x", TaskOptions(keepsResultSeconds: 600))
            }
            await #expect(throws: TaskError.failed(id: id)) {
                try await world.client.result(of: task, id: id, waitSeconds: 60)
            }
            #expect(runs.all == ["attempt 1": 1, "attempt 2": 1, "attempt 3": 1])
            let letter = try #require(try await world.queues.list(limit: 10).first)
            #expect(letter.id == id && letter.attempt == 3 && letter.reason == "attempt 3 failed: NeverHappened")
            #expect(world.capture.value(#"task_retries_total{task="fragile"}"#) == 2)
            #expect(world.capture.value(#"task_dead_letters_total{task="fragile"}"#) == 1)
            // Whoever looks for the request finds what became of its task.
            let line = try #require(world.capture.logLines(event: TaskTelemetry.deadLettered).first)
            let trace = try #require(world.capture.spans(named: "send tasks:{\(world.service)}:normal").first)
            #expect(line.contains("\(trace.context.traceID)") && line.contains("request-9"), "\(line)")

            isBroken.withLock { $0 = false }
            #expect(try await world.queues.replayAll() == 1)
            try await eventually("the replayed one succeeded") { runs["attempt 1"] == 2 }
            try await eventually("its result is kept") {
                try await world.client.status(of: id, of: world.service).state == .succeeded
            }
            #expect(try await world.depth("dead") == 0)
            #expect(try await world.queues.replay(letter.entry) == false)
        }
    }

    @Test func aDelayedTaskWaitsForItsTime() async throws {
        try await TaskWorld.with { world in
            let seen = Tally()
            let task = world.task("later", String.self, Nothing.self)
            try await world.work { worker in
                worker.on(task) { input, _ in
                    seen.add(input)
                    return Nothing()
                }
            }
            try await world.client.enqueue(task, "in an hour", TaskOptions(delayMilliseconds: 3_600_000))
            try await world.client.enqueue(task, "soon", TaskOptions(delayMilliseconds: 300))
            try await eventually("the first that is due ran") { seen["soon"] == 1 }
            #expect(seen["in an hour"] == 0)
            #expect(try await world.depth("delayed") == 1)
        }
    }

    @Test func aFullQueueRefusesAndLosesNothing() async throws {
        var limits = TaskClient.Limits()
        limits.maxWaiting = 3
        limits.maxInputBytes = 10
        try await TaskWorld.with(limits: limits) { world in
            let task = world.task("many", String.self, Nothing.self)
            for _ in 0..<3 { try await world.client.enqueue(task, "x") }
            let full = TaskError.queueFull(service: world.service, limit: 3)
            await #expect(throws: full) { try await world.client.enqueue(task, "x") }
            #expect(try await world.depth("normal") == 3)
            for _ in 0..<3 { try await world.client.enqueue(task, "x", TaskOptions(delayMilliseconds: 3_600_000)) }
            await #expect(throws: full) {
                try await world.client.enqueue(task, "x", TaskOptions(delayMilliseconds: 3_600_000))
            }
            await #expect(throws: TaskError.inputTooLarge(task: "many", bytes: 11, limit: 10)) {
                try await world.client.enqueue(task, "123456789")
            }
            #expect(world.capture.value(#"tasks_enqueued_total{task="many",outcome="full"}"#) == 2)
        }
    }

    @Test func whatNoWorkerUnderstandsIsADeadLetterAndTheWorkerGoesOn() async throws {
        try await TaskWorld.with { world in
            let number = world.task("number", Int.self, Int.self)
            try await world.work { $0.on(number) { number, _ in number } }
            let stream = "tasks:{\(world.service)}:normal"
            try await world.redis.command("XADD", stream, "*", "what", "ever")
            try await world.redis.command(
                "XADD", stream, "*", "id", "\u{0}\r\n", "task", "t", "input", "", "attempt", "-7")
            try await world.client.enqueue(world.task("unheard", Int.self, Int.self), 1)
            try await world.client.enqueue(world.task("number", String.self, Int.self), "no number")
            #expect(try await world.client.run(number, 5, waitSeconds: 60) == 5)
            try await eventually("all four are given up") { try await world.depth("dead") == 4 }
            let reasons = try await world.queues.list(limit: 10).map(\.reason).sorted()
            #expect(
                reasons == [
                    "it is no task", "it is no task", "its input is not what number takes", "no worker knows this task",
                ])
            #expect(try await world.depth("normal") == 0)
        }
    }

    @Test func whatAFailedRunSaidBelowTheLevelIsWrittenAfterAll() async throws {
        struct Odd: Error {}
        let detail = LogEvent("test.task_detail", level: .debug, help: "What a run says below the level.")
        let capture = TelemetryCapture(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 4_096, slowMilliseconds: 3_600_000))
        try await TaskWorld.with(capture: capture) { world in
            let runs = Mutex(0)
            let task = world.task("moody", Int.self, Int.self)
            try await world.work { worker in
                worker.on(task) { number, _ in
                    let run = runs.withLock { runs in
                        runs += 1
                        return runs
                    }
                    capture.telemetry.logger.log(detail, "run \(run)")
                    if run == 1 { throw Odd() }
                    return number
                }
            }
            #expect(try await world.client.run(task, 5, waitSeconds: 60) == 5)
            let lines = capture.logLines(event: detail)
            #expect(lines.count == 1)
            #expect(lines.first?.contains("\"message\":\"run 1\"") == true)
            #expect(lines.first?.contains("\"tags\":[\"retroactive\"]") == true)
        }
    }

    @Test func aTaskThatTakesTooLongIsCancelled() async throws {
        try await TaskWorld.with { world in
            let task = world.task(
                "slow", Int.self, Nothing.self, retry: TaskRetry(maxAttempts: 1), timeLimitSeconds: 1)
            try await world.work { worker in
                worker.on(task) { _, _ in
                    try await Task.sleep(nanoseconds: 3_600_000_000_000)
                    return Nothing()
                }
            }
            try await world.client.enqueue(task, 1)
            try await eventually("it is given up") { try await world.depth("dead") == 1 }
            #expect(try await world.queues.list(limit: 1).first?.reason == "attempt 1 failed: timeout")
        }
    }

    @Test func highPriorityIsTakenFirstAndLowIsNotForgotten() async throws {
        try await TaskWorld.with(loops: 1) { world in
            let order = Mutex<[String]>([])
            let task = world.task("ordered", String.self, Nothing.self)
            for priority in [TaskPriority.low, .normal, .high] {
                for _ in 0..<40 {
                    try await world.client.enqueue(task, priority.rawValue, TaskOptions(priority: priority))
                }
            }
            try await world.work {
                $0.concurrencyPerLoop = 4
            } _: { worker in
                worker.on(task) { input, _ in
                    order.withLock { $0.append(input) }
                    return Nothing()
                }
            }
            try await eventually("all ran") { order.withLock { $0.count } == 120 }
            let ran = order.withLock { $0 }
            // Seven takes of one to four begin with the highest, the eighth with the lowest.
            #expect(ran.prefix(7).allSatisfy { $0 == "high" })
            #expect(ran.firstIndex(of: "low") ?? 120 < 80)
        }
    }

    @Test func theTraceTheRequestAndTheUserArrive() async throws {
        try await TaskWorld.with { world in
            let task = world.task("traced", Int.self, String.self)
            try await world.work { worker in
                worker.on(task) { _, context in
                    let current = TelemetryContext.current
                    return "\(current.requestID ?? "") \(current.baggage.entries.first?.value ?? "") "
                        + "\(context.identity?.companyID ?? "") \(current.deadline != nil)"
                }
            }
            let user = Identity(userID: "u", username: "n", roles: ["user"], companyID: "acme")
            let carried = Propagation.extract { $0 == Propagation.baggage ? "shop=berlin" : nil }
            let request = TelemetryContext(requestID: "request-1", baggage: carried.baggage)
            let answer = try await TelemetryContext.$current.withValue(request) {
                try await world.client.run(task, 1, waitSeconds: 60, TaskOptions(identity: user))
            }
            #expect(answer == "request-1 berlin acme true")
            let queue = "tasks:{\(world.service)}:normal"
            try await eventually("both spans ended") {
                !world.capture.spans(named: "send \(queue)").isEmpty
                    && !world.capture.spans(named: "process \(queue)").isEmpty
            }
            let sent = try #require(world.capture.spans(named: "send \(queue)").first)
            let processed = try #require(world.capture.spans(named: "process \(queue)").first)
            #expect(processed.context.traceID == sent.context.traceID)
            #expect(processed.links.map(\.spanID) == [sent.context.spanID])
            #expect(sent.kind == .producer && processed.kind == .consumer)
            #expect(processed.attributes["messaging.system"] == .string("redis"))
        }
    }
}
