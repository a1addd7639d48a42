internal import EventLoop
package import Redis
internal import Security
internal import Synchronization
internal import Telemetry
internal import Values

/// Enqueues tasks of any service, and waits for their results.
///
/// A task that was accepted is in Redis: it survives whatever happens to this process and to the workers. What Redis
/// itself survives is in its configuration (`docs/sdk/tasks.md`).
package final class TaskClient: Sendable {
    /// Bounds of the queues; the same in every process.
    package struct Limits: Sendable {
        /// Tasks that may wait in one queue of a service before more are refused.
        package var maxWaiting = 100_000
        /// Bytes of a task's encoded input.
        package var maxInputBytes = 64 * 1024
        package init() {}
    }

    let redis: RedisClient
    let limits: Limits
    let telemetry: TaskTelemetry
    private let waiters: Mutex<[String: TaskWaiters]> = Mutex([:])

    /// Seconds that an outcome may be kept.
    static let maxKeepSeconds = 86_400
    /// How much longer than its waiter an outcome lives.
    private static let spareSeconds = 60
    /// What is left of a request's time for its answer.
    private static let answerMilliseconds = 250

    package init(redis: RedisClient, limits: Limits = Limits(), telemetry: TaskTelemetry) {
        self.redis = redis
        self.limits = limits
        self.telemetry = telemetry
    }

    // MARK: Enqueueing

    /// Hands a task to the workers of its service. When this returns the task is stored.
    /// - Returns: the task's id.
    /// - Throws: `TaskError.queueFull`, `.inputTooLarge`; `RedisError`, after which the task may or may not be there.
    @discardableResult
    package func enqueue<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ input: Input, _ options: TaskOptions = TaskOptions()
    ) async throws -> String {
        let declaration = task.declaration
        var entry = TaskEntry(
            id: Identifier.make(), task: declaration.name, input: try task.encodeInput(input), key: options.key)
        let bytes = entry.input.utf8.count
        guard bytes <= limits.maxInputBytes else {
            throw TaskError.inputTooLarge(task: declaration.name, bytes: bytes, limit: limits.maxInputBytes)
        }
        entry.identity = options.identity
        entry.keepsResultSeconds = min(max(options.keepsResultSeconds, 0), Self.maxKeepSeconds)
        try await send(
            &entry, to: declaration.service, options.priority ?? declaration.priority,
            afterMilliseconds: max(0, options.delayMilliseconds))
        return entry.id
    }

    private func send(
        _ entry: inout TaskEntry, to service: String, _ priority: TaskPriority, afterMilliseconds delay: Int
    ) async throws {
        let keys = TaskKeys(service: service)
        let queue = keys.stream(priority)
        let context = TelemetryContext.current
        let span = telemetry.startSpan("send", .producer, queue: queue, entry: entry, parent: context)
        defer { span.end() }
        let within = context.entering(span.context)
        var headers: [(name: String, value: String)] = []
        Propagation.inject(within) { headers.append(($0, $1)) }
        entry.context = headers
        do {
            let arguments =
                [
                    "\(limits.maxWaiting)", "\(delay)", "\(entry.keepsResultSeconds)", entry.task,
                    TaskStatus.ownerText(entry.identity),
                ] + (try entry.fields())
            let accepted = try await TelemetryContext.$current.withValue(within) {
                try await redis.run(
                    TaskScripts.enqueue, keys: [queue, keys.delayed, keys.result(entry.id)], arguments: arguments)
            }
            guard accepted.integer == 1 else {
                throw TaskError.queueFull(service: service, limit: limits.maxWaiting)
            }
            telemetry.enqueued.series(entry.task, "accepted").increment()
        } catch {
            let isFull = error is TaskError
            telemetry.enqueued.series(entry.task, isFull ? "full" : "error").increment()
            span.recordError(type: isFull ? "queue_full" : ErrorType.name(of: error))
            throw error
        }
    }

    // MARK: Results

    /// Enqueues a task and waits for what its handler returns.
    /// - Parameter waitSeconds: at most, 1 or more; the deadline of the current request shortens it.
    /// - Throws: what `enqueue` and `result` throw.
    package func run<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ input: Input, waitSeconds: Int, _ options: TaskOptions = TaskOptions()
    ) async throws -> Output {
        var options = options
        options.keepsResultSeconds = max(options.keepsResultSeconds, waitSeconds + Self.spareSeconds)
        let id = try await enqueue(task, input, options)
        return try await result(of: task, id: id, waitSeconds: waitSeconds)
    }

    /// What the handler of a task returned, whoever enqueued it. Waits for the last attempt.
    /// - Throws: `TaskRefusal` when the handler said no; `TaskError.notFinished` when it takes longer, `.failed`,
    ///   `.unknown`; `RedisError`.
    package func result<Input, Output>(
        of task: TaskDefinition<Input, Output>, id: String, waitSeconds: Int
    ) async throws -> Output {
        let status = try await finished(id, of: task.declaration.service, waitSeconds: waitSeconds)
        switch status.state {
        case .pending: throw TaskError.notFinished(id: id)
        case .failed: throw TaskError.failed(id: id)
        case .refused: throw TaskRefusal.decode(status.body) ?? TaskError.malformedResult(id: id) as any Error
        case .succeeded:
            do { return try task.decodeOutput(status.body) } catch { throw TaskError.malformedResult(id: id) }
        }
    }

    /// How a task of a service stands, when its result is kept.
    /// - Parameter waitSeconds: how long to wait for its end; zero only looks.
    /// - Throws: `TaskError.unknown`, `.tooManyWaiting`, `RedisError`.
    package func status(of id: String, of service: String, waitSeconds: Int = 0) async throws -> TaskStatus {
        try await finished(id, of: service, waitSeconds: waitSeconds)
    }

    private func finished(_ id: String, of service: String, waitSeconds: Int) async throws -> TaskStatus {
        guard let id = Identifier.normalized(id) else { throw TaskError.unknown(id: id) }
        guard waitSeconds > 0 else { return try await look(id, service, mailbox: "", seconds: 1) }
        let waiters = waiters.withLock { waiters in
            if let known = waiters[service] { return known }
            let new = TaskWaiters(redis: redis, keys: TaskKeys(service: service), telemetry: telemetry)
            waiters[service] = new
            return new
        }
        var milliseconds = TelemetryContext.millisecondsLeft(atMost: waitSeconds * 1_000) ?? 1
        // So that the caller can still be answered in time.
        if TelemetryContext.current.deadline != nil { milliseconds = max(1, milliseconds - Self.answerMilliseconds) }
        let deadline = TelemetryClock.system.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        let wake = try waiters.expect(id)
        defer { waiters.forget(wake) }
        while true {
            // A look is short: it is not cut by the deadline, so that the answer is how the task stands.
            let status = try await TelemetryContext.$current.withValue(TelemetryContext.current.withoutDeadline) {
                try await look(
                    id, service, mailbox: waiters.mailbox, seconds: milliseconds / 1_000 + Self.spareSeconds)
            }
            let now = TelemetryClock.system.monotonicNanoseconds()
            guard status.state == .pending, now < deadline else { return status }
            // Told, or the time is up: either way another look tells how it stands.
            guard try await waiters.wait(wake, milliseconds: (deadline - now) / 1_000_000 + 1) else { return status }
        }
    }

    private func look(_ id: String, _ service: String, mailbox: String, seconds: Int) async throws -> TaskStatus {
        let keys = TaskKeys(service: service)
        // Nobody waits at the empty mailbox: a plain look.
        let values =
            mailbox.isEmpty
            ? try await redis.command("HMGET", keys.result(id), "state", "task", "owner", "body").array
            : try await redis.run(
                TaskScripts.lookUp, keys: [keys.result(id), keys.waiters(id)], arguments: [mailbox, "\(seconds)"]
            ).array
        guard let values, values.count == 4, let state = values[0].text.flatMap(TaskStatus.State.init(rawValue:)) else {
            throw TaskError.unknown(id: id)
        }
        return TaskStatus(
            task: values[1].text ?? "", state: state, ownerText: values[2].text ?? "", body: values[3].text ?? "")
    }

    /// Ends what waits for results. Callers that still wait look a last time.
    package func stop() async {
        let stopping = waiters.withLock { waiters in
            defer { waiters = [:] }
            return Array(waiters.values)
        }
        for waiters in stopping { await waiters.stop() }
    }
}

extension TelemetryContext {
    fileprivate var withoutDeadline: TelemetryContext {
        TelemetryContext(span: span, requestID: requestID, baggage: baggage, details: details)
    }
}
