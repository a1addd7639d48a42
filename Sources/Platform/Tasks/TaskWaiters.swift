internal import EventLoop
internal import Redis
internal import Synchronization
internal import Telemetry
internal import Values

/// Callers of this process that wait for tasks of one service: one mailbox in Redis (a list of ids), read by one connection
/// that waits at it. Being told is a hint only; the outcome itself is looked up.
final class TaskWaiters: Sendable {
    let mailbox: String
    private let redis: RedisClient
    private let telemetry: TaskTelemetry
    private let state = Mutex(State())

    /// Somebody who waits for one task.
    struct Ticket: Sendable {
        fileprivate let id: String
        fileprivate let number: Int
        fileprivate let told: AsyncStream<Void>
    }

    private struct State: Sendable {
        var next = 0
        var waiting: [String: [Int: AsyncStream<Void>.Continuation]] = [:]
        var count = 0
        var reader: Task<Void, Never>?
        var isStopped = false
    }

    private static let maxWaiting = 10_000
    /// How long the connection waits at the mailbox at once.
    private static let blockSeconds = 2
    private static let pauseMilliseconds: UInt64 = 200
    private static let batch = 256

    init(redis: RedisClient, keys: TaskKeys, telemetry: TaskTelemetry) {
        self.redis = redis
        self.telemetry = telemetry
        mailbox = keys.mailbox(Identifier.make())
    }

    /// - Throws: `TaskError.tooManyWaiting`.
    func expect(_ id: String) throws(TaskError) -> Ticket {
        let (told, tell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state -> Int? in
            guard state.count < Self.maxWaiting, !state.isStopped else { return nil }
            state.next += 1
            state.count += 1
            state.waiting[id, default: [:]][state.next] = tell
            if state.reader == nil { state.reader = startReading() }
            return state.next
        }
        guard let number else { throw .tooManyWaiting }
        return Ticket(id: id, number: number, told: told)
    }

    func forget(_ ticket: Ticket) {
        state.withLock { state in
            guard state.waiting[ticket.id]?.removeValue(forKey: ticket.number) != nil else { return }
            state.count -= 1
            if state.waiting[ticket.id]?.isEmpty == true { state.waiting[ticket.id] = nil }
        }
    }

    /// Returns when the task is finished, as far as one was told, or the time is up.
    /// - Returns: false when nobody will be told any more.
    func wait(_ ticket: Ticket, milliseconds: UInt64) async throws -> Bool {
        let told = ticket.told
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { for await _ in told { return } }
            tasks.addTask { try? await Task.sleep(nanoseconds: milliseconds * 1_000_000) }
            await tasks.next()
            tasks.cancelAll()
        }
        try Task.checkCancellation()
        return state.withLock { !$0.isStopped }
    }

    // MARK: The mailbox

    private func startReading() -> Task<Void, Never> {
        let loop = redis.group.next()
        let connection = redis.makeBlockingConnection(on: loop, longestWaitMilliseconds: Self.blockSeconds * 1_000)
        return Task(executorPreference: loop) { [self] in
            await withTaskCancellationHandler {
                await TelemetryContext.$current.withValue(.unsampled) { await read(connection) }
            } onCancel: {
                connection.close()
            }
            connection.close()
        }
    }

    private func read(_ connection: RedisBlockingConnection) async {
        while !Task.isCancelled {
            do {
                let answer = try await connection.command([
                    "BLMPOP", "\(Self.blockSeconds)", "1", mailbox, "LEFT", "COUNT", "\(Self.batch)",
                ])
                for id in answer.array?.last?.array ?? [] { if let id = id.text { tell(id) } }
            } catch {
                // Whoever was not told meanwhile must look.
                tellAll()
                try? await Task.sleep(nanoseconds: Self.pauseMilliseconds * 1_000_000)
            }
        }
    }

    private func tell(_ id: String) {
        state.withLock { state in
            if let waiting = state.waiting[id] { for tell in waiting.values { tell.yield() } }
        }
    }

    private func tellAll() {
        state.withLock { state in
            for waiting in state.waiting.values { for tell in waiting.values { tell.yield() } }
        }
    }

    func stop() async {
        let reader = state.withLock { state in
            state.isStopped = true
            for waiting in state.waiting.values { for tell in waiting.values { tell.finish() } }
            return state.reader
        }
        reader?.cancel()
        await reader?.value
    }
}
