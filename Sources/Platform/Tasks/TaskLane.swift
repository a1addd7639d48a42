internal import EventLoop
internal import Redis
internal import Telemetry

/// A worker's part on one event loop: takes tasks as there is room, runs them, says that they live, and settles them.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only, but for what never changes.
final class TaskLane: @unchecked Sendable {
    let worker: TaskWorker
    let loop: EventLoop
    /// The consumer's name in Redis.
    let name: String
    private let handlers: [String: TaskHandler]
    private let settlement: TaskSettlement
    private let connection: RedisBlockingConnection
    private var running: [String: TaskRun] = [:]
    /// Taken at once with others, when there was room for one only.
    private var backlog: [TakenEntry] = []
    private var reader: Task<Void, Never>?
    private var timers: [LoopTimer] = []
    private var isStopping = false
    /// Nothing is settled any more: what is left belongs to the other workers.
    private var isStopped = false
    /// The connection that waits for tasks, as Redis calls it.
    private var waitingClient: String?
    private var roomWaiter: CheckedContinuation<Void, Never>?
    private var acknowledgements: [String: [TaskRun]] = [:]
    private var isFlushDue = false
    private var isBeating = false
    private var nextReclaim: UInt64 = 0
    private var takes = 0

    /// What a task that has no handler is called in metrics: its own name may be anything.
    private static let unknown = "unknown"
    private static let blockMilliseconds = 2_000
    private static let sweepMilliseconds: UInt64 = 250
    private static let maxPauseMilliseconds: UInt64 = 2_000
    private static let settlePauseMilliseconds: UInt64 = 200
    /// Every so many takes begin with the lowest priority.
    private static let takesPerLowFirst = 8
    /// Handlers that do not heed their cancellation are spoken for no longer than this.
    private static let stubbornMilliseconds: UInt64 = 10_000
    /// How long handlers have to heed the cancellation when the worker stops.
    private static let cancelledMilliseconds: UInt64 = 3_000

    init(worker: TaskWorker, handlers: [String: TaskHandler], loop: EventLoop, name: String) {
        self.worker = worker
        self.handlers = handlers
        self.loop = loop
        self.name = name
        settlement = TaskSettlement(redis: worker.redis, keys: worker.keys, consumer: name)
        connection = worker.redis.makeBlockingConnection(on: loop, longestWaitMilliseconds: Self.blockMilliseconds)
    }

    private var telemetry: TaskTelemetry { worker.telemetry }
    private var room: Int { worker.configuration.concurrencyPerLoop - running.count }
    private var visibility: UInt64 { UInt64(worker.configuration.visibilityMilliseconds) }

    // MARK: Life

    func start() {
        loop.perform { [self] in
            nextReclaim = loop.nowMilliseconds + .random(in: 0...visibility / 4)
            timers = [
                loop.schedule(afterMilliseconds: visibility / 3, repeating: visibility / 3) { [weak self] in
                    self?.beat()
                },
                loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
                    [weak self] in self?.sweep()
                },
            ]
            reader = loop.spawn { [self] in
                await TelemetryContext.$current.withValue(.unsampled) { await read() }
            }
        }
    }

    func stop() async {
        try? await loop.run { [self] in
            await TelemetryContext.$current.withValue(.unsampled) { await stopOnLoop() }
        }
    }

    private func stopOnLoop() async {
        isStopping = true
        wakeReader()
        if let waitingClient { _ = try? await worker.redis.command("CLIENT", "UNBLOCK", waitingClient) }
        await reader?.value
        await waitUntilIdle(milliseconds: UInt64(worker.configuration.drainMilliseconds))
        for run in running.values { run.interrupt(.givenBack) }
        await waitUntilIdle(milliseconds: Self.cancelledMilliseconds)
        isStopped = true
        for timer in timers { timer.cancel() }
        timers = []
        _ = try? await worker.redis.run(
            TaskScripts.leave, keys: worker.keys.streams, arguments: [TaskKeys.group, name])
        connection.close()
    }

    private func waitUntilIdle(milliseconds: UInt64) async {
        let end = loop.nowMilliseconds + milliseconds
        while !running.isEmpty, loop.nowMilliseconds < end {
            // Of a task of its own: whoever stops may be cancelled, and would not wait at all.
            await loop.spawn { [loop] in try? await loop.sleep(milliseconds: 20) }.value
        }
    }

    // MARK: Taking

    private func read() async {
        var failures: UInt64 = 0
        while !isStopping {
            await waitForRoom()
            if isStopping { break }
            do {
                for taken in try await next() { admit(taken) }
                failures = 0
            } catch {
                telemetry.logger.log(
                    TaskTelemetry.queueFailed, "tasks of \(worker.service) cannot be taken: \(Self.words(error))",
                    [Attribute(.errorType, .string(ErrorType.name(of: error)))])
                if case RedisError.server(let text) = error, text.contains("NOGROUP") { try? await worker.makeGroups() }
                failures += 1
                try? await loop.sleep(milliseconds: min(Self.maxPauseMilliseconds, 50 << min(failures, 6)))
            }
        }
    }

    /// A Redis error's words hold neither keys nor values.
    private static func words(_ error: any Error) -> String {
        (error as? RedisError)?.description ?? "\(type(of: error))"
    }

    private func next() async throws -> [TakenEntry] {
        if loop.nowMilliseconds >= nextReclaim {
            nextReclaim = loop.nowMilliseconds + visibility / 4 + .random(in: 0...visibility / 8)
            let reclaimed = try await reclaim()
            if !reclaimed.isEmpty { return reclaimed }
        }
        let taken = try await take()
        if !taken.isEmpty || isStopping { return taken }
        waitingClient = try await connection.identifier()
        defer { waitingClient = nil }
        if isStopping { return [] }
        let streams = worker.keys.streams
        return TakenEntry.reading(
            try await connection.command(
                [
                    "XREADGROUP", "GROUP", TaskKeys.group, name, "COUNT", "1", "BLOCK", "\(Self.blockMilliseconds)",
                    "STREAMS",
                ] + streams + streams.map { _ in ">" }))
    }

    private func take() async throws -> [TakenEntry] {
        takes += 1
        let streams = worker.keys.streams
        let isLowFirst = takes % Self.takesPerLowFirst == 0
        return try await worker.redis.run(
            TaskScripts.take, keys: isLowFirst ? streams.reversed() : streams,
            arguments: [TaskKeys.group, name, "\(max(1, room))"]
        ).array?.compactMap(TakenEntry.init) ?? []
    }

    private func reclaim() async throws -> [TakenEntry] {
        var taken: [TakenEntry] = []
        for stream in worker.keys.streams where room > taken.count {
            taken +=
                try await worker.redis.run(
                    TaskScripts.reclaim, keys: [stream],
                    arguments: [TaskKeys.group, name, "\(visibility)", "\(room - taken.count)"]
                ).array?.compactMap(TakenEntry.init) ?? []
        }
        if !taken.isEmpty { telemetry.reclaimed.add(Double(taken.count)) }
        return taken
    }

    private func waitForRoom() async {
        guard room <= 0 || !backlog.isEmpty, !isStopping else { return }
        await withCheckedContinuation { roomWaiter = $0 }
    }

    private func wakeReader() {
        guard let waiter = roomWaiter else { return }
        roomWaiter = nil
        waiter.resume()
    }

    private func admit(_ taken: TakenEntry) {
        // Reclaimed from ourselves, when Redis could not hear that it runs here: now it has.
        guard running[taken.id] == nil else { return }
        if room > 0 { begin(taken) } else { backlog.append(taken) }
    }

    // MARK: Running

    private func begin(_ taken: TakenEntry) {
        let entry = TaskEntry(fields: taken.fields)
        let handler = entry.flatMap { handlers[$0.task] }
        let limit = UInt64(handler?.declaration.timeLimitSeconds ?? 1) * 1_000
        let run = TaskRun(
            taken, entry ?? TaskEntry(id: taken.id, task: Self.unknown, input: "", key: nil),
            label: handler?.declaration.name ?? Self.unknown, deadlineMilliseconds: loop.nowMilliseconds + limit)
        running[taken.id] = run
        telemetry.running.add(1)
        run.task = loop.spawn { [self] in
            if entry == nil {
                await giveUp(run, "it is no task", errorType: "malformed_entry")
            } else if let handler {
                await execute(run, handler)
            } else {
                await giveUp(run, "no worker knows this task", errorType: "unknown_task")
            }
        }
    }

    private func execute(_ run: TaskRun, _ handler: TaskHandler) async {
        let entry = run.entry
        guard run.taken.deliveries <= worker.configuration.maxDeliveries else {
            let reason = "\(run.taken.deliveries - 1) workers died or hung while they ran it"
            return await giveUp(run, reason, errorType: "workers_died")
        }
        let parent = entry.telemetryContext()
        let span = telemetry.startSpan(
            "process", .consumer, queue: run.taken.stream, entry: entry, parent: parent,
            links: parent.span.map { [SpanLink($0)] } ?? [])
        let wall = TelemetryClock.system.wallNanoseconds()
        let start = TelemetryClock.system.monotonicNanoseconds()
        let waited = wall / 1_000_000 &- run.taken.dueMilliseconds
        telemetry.waited.series(entry.task).record(
            // Redis' clock may be ahead of ours.
            wall / 1_000_000 > run.taken.dueMilliseconds ? Double(waited) / 1_000 : 0, exemplar: span.context)
        let context = TelemetryContext(
            span: span.context, requestID: parent.requestID, baggage: parent.baggage,
            deadline: start + UInt64(handler.declaration.timeLimitSeconds) * 1_000_000_000)
        let verdict = await TelemetryContext.$current.withValue(context) {
            // What a run that went wrong said below the log's level is written after all.
            await telemetry.logger.withDetails {
                let verdict = await self.verdict(run, handler)
                note(verdict, run)
                return (verdict, verdict.errorType != nil)
            }
        }
        if let type = verdict.errorType { span.recordError(type: type) }
        span.end()
        telemetry.duration.series(entry.task).record(
            Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
        await settle(run, verdict)
    }

    private func verdict(_ run: TaskRun, _ handler: TaskHandler) async -> TaskVerdict {
        do {
            switch try await handler.run(run.entry) {
            case .done(let output): return .succeeded(output)
            case .duplicate(let output): return .duplicate(output)
            }
        } catch {
            return TaskVerdict(
                error, of: handler.declaration, attempt: run.entry.attempt, interruption: run.interruption)
        }
    }

    /// Writes the lines of a run, within its trace.
    private func note(_ verdict: TaskVerdict, _ run: TaskRun) {
        let entry = run.entry
        switch verdict {
        case .succeeded, .duplicate, .giveBack: break
        case .dead(let reason, let type):
            telemetry.log(TaskTelemetry.deadLettered, "\(entry.task) was given up: \(reason)", entry, error: type)
        case .refused(let refusal):
            telemetry.log(TaskTelemetry.refused, "\(entry.task) was refused: \(refusal.code)", entry)
        case .retry(let pause, let type):
            telemetry.log(
                TaskTelemetry.failed, "attempt \(entry.attempt) of \(entry.task) failed, again in \(pause) ms: \(type)",
                entry, error: type)
        case .postpone(_, let type):
            telemetry.log(
                TaskTelemetry.failed, "\(entry.task) waits for a store that is away: \(type)", entry, error: type)
        case .lost:
            telemetry.log(TaskTelemetry.lost, "\(entry.task) was taken over by another worker", entry)
        }
    }

    // MARK: Settling

    /// Buries what is not even run; whoever enqueued it finds the line under their trace.
    private func giveUp(_ run: TaskRun, _ reason: String, errorType: String) async {
        let verdict = TaskVerdict.dead(reason: reason, errorType: errorType)
        TelemetryContext.$current.withValue(run.entry.telemetryContext()) { note(verdict, run) }
        await settle(run, verdict)
    }

    private func settle(_ run: TaskRun, _ verdict: TaskVerdict) async {
        telemetry.runs.series(run.label, verdict.outcome).increment()
        switch verdict {
        case .retry: telemetry.retries.series(run.label).increment()
        case .dead: telemetry.dead.series(run.label).increment()
        case .succeeded, .duplicate:
            if run.entry.keepsResultSeconds == 0 { return acknowledge(run) }
        case .refused, .postpone, .giveBack, .lost: break
        }
        await persist { [settlement] in try await settlement.apply(verdict, to: run) }
        finish(run)
    }

    /// Until Redis has taken it. When this process ends before, the task runs again somewhere.
    private func persist(_ apply: @escaping @Sendable () async throws -> Void) async {
        if (try? await apply()) != nil { return }
        // In a task of its own: this one may be cancelled, and would not pause.
        await loop.spawn { [self] in
            while !isStopped {
                try? await loop.sleep(milliseconds: Self.settlePauseMilliseconds)
                if (try? await apply()) != nil { return }
            }
        }.value
    }

    /// Tasks that end in one turn of the loop are acknowledged together.
    private func acknowledge(_ run: TaskRun) {
        acknowledgements[run.taken.stream, default: []].append(run)
        guard !isFlushDue else { return }
        isFlushDue = true
        loop.execute { [self] in
            isFlushDue = false
            let batches = acknowledgements
            acknowledgements = [:]
            for (stream, runs) in batches {
                loop.spawn { [self] in
                    await TelemetryContext.$current.withValue(.unsampled) {
                        await persist { [settlement] in try await settlement.acknowledge(runs, in: stream) }
                    }
                    for run in runs { finish(run) }
                }
            }
        }
    }

    private func finish(_ run: TaskRun) {
        guard running.removeValue(forKey: run.taken.id) != nil else { return }
        telemetry.running.add(-1)
        while room > 0, let waiting = backlog.popLast() { begin(waiting) }
        if room > 0 { wakeReader() }
    }

    // MARK: Time

    /// Cancels what takes too long.
    private func sweep() {
        let now = loop.nowMilliseconds
        for run in running.values where now >= run.deadlineMilliseconds { run.interrupt(.timedOut) }
    }

    /// Says that what runs here lives.
    private func beat() {
        guard !isBeating else { return }
        isBeating = true
        let now = loop.nowMilliseconds
        var alive: [String: [String]] = [:]
        for run in running.values where now < run.deadlineMilliseconds + Self.stubbornMilliseconds {
            alive[run.taken.stream, default: []].append(run.taken.id)
        }
        for taken in backlog { alive[taken.stream, default: []].append(taken.id) }
        let claims = alive
        loop.spawn { [self] in
            await TelemetryContext.$current.withValue(.unsampled) {
                for (stream, ids) in claims {
                    let lost = try? await worker.redis.run(
                        TaskScripts.extend, keys: [stream], arguments: [TaskKeys.group, name] + ids)
                    for id in lost?.array ?? [] { if let id = id.text { running[id]?.interrupt(.lost) } }
                }
            }
            isBeating = false
        }
    }
}
