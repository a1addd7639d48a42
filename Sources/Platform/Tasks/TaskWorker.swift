package import EventLoop
package import PostgreSQL
package import Redis
internal import Synchronization
internal import Telemetry
internal import Values

/// Runs the tasks of one service in this process: a lane on each event loop, and one clock for all of them.
///
/// A task belongs to the worker that took it until it is acknowledged. A worker says every third of the visibility time
/// that what it runs is alive; what nobody has spoken for that long is taken over by another.
package final class TaskWorker: Sendable {
    package struct Configuration: Sendable {
        /// Tasks that run at once on each event loop, 4 to 1,000.
        package var concurrencyPerLoop = 16
        /// How long a task may go without a sign of life before another worker takes it. The same in all workers.
        package var visibilityMilliseconds = 30_000
        /// How long running tasks may take to finish when the worker stops; the others are given back.
        package var drainMilliseconds = 10_000
        /// Workers that may die of a task before it is given up, 1 or more.
        package var maxDeliveries = 5
        package init() {}
    }

    let service: String
    let redis: RedisClient
    let keys: TaskKeys
    let limits: TaskClient.Limits
    let telemetry: TaskTelemetry
    let configuration: Configuration
    private let database: PostgreSQLClient?
    private let group: EventLoopGroup
    private let state = Mutex(State())

    private struct State: Sendable {
        var handlers: [String: TaskHandler] = [:]
        var periods: [PeriodicTask] = []
        var lanes: [TaskLane] = []
        var clock: TaskClock?
    }

    /// - Parameter database: where tasks with effect `once` have it; nil for a service without one.
    package init(
        service: String, redis: RedisClient, database: PostgreSQLClient?, group: EventLoopGroup,
        telemetry: TaskTelemetry, limits: TaskClient.Limits = .init(), configuration: Configuration = Configuration()
    ) {
        self.service = service
        self.redis = redis
        self.database = database
        self.group = group
        self.telemetry = telemetry
        self.limits = limits
        self.configuration = configuration
        keys = TaskKeys(service: service)
    }

    // MARK: What it runs

    /// Handles a task that may be repeated: at least once.
    package func on<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ body: @escaping @Sendable (Input, TaskContext) async throws -> Output
    ) {
        precondition(task.declaration.effect == .repeatable, "\(task.name) has its effect once: handle it with 'once'")
        add(TaskHandler(task, body))
    }

    /// Handles a task whose effect is the given transaction: exactly once.
    package func once<Input, Output>(
        _ task: TaskDefinition<Input, Output>,
        _ body: @escaping @Sendable (Input, TaskContext, PostgreSQLTransaction) async throws -> Output
    ) {
        precondition(task.declaration.effect == .once, "\(task.name) is not declared with effect 'once'")
        guard let database else { preconditionFailure("\(task.name) has its effect in a database: declare one") }
        add(TaskHandler(task, database, body))
    }

    private func add(_ handler: TaskHandler) {
        precondition(handler.declaration.service == service, "\(handler.declaration.name) is not of '\(service)'")
        telemetry.expect(handler.declaration.name)
        let isNew = state.withLock {
            $0.handlers.updateValue(handler, forKey: handler.declaration.name) == nil
        }
        precondition(isNew, "\(handler.declaration.name) has two handlers")
    }

    /// Enqueues a task again and again: once a period over all processes of the service, on the multiples of the period
    /// since 1970 UTC. What was missed while nothing ran is not made up for.
    /// - Parameter seconds: 1 or more.
    package func every<Input, Output>(
        seconds: Int, _ task: TaskDefinition<Input, Output>, _ input: Input
    ) throws {
        precondition(seconds >= 1)
        let period = PeriodicTask(
            declaration: task.declaration, milliseconds: seconds * 1_000, input: try task.encodeInput(input))
        state.withLock { $0.periods.append(period) }
    }

    /// What has a handler.
    package var declarations: Set<TaskDeclaration> {
        Set(state.withLock { $0.handlers.values.map(\.declaration) })
    }

    // MARK: Life

    /// - Throws: `RedisError` when the queues cannot be made.
    package func start() async throws {
        try await makeGroups()
        let (handlers, periods) = state.withLock { ($0.handlers, $0.periods) }
        let clock = TaskClock(worker: self, periods: periods, loop: group.next())
        let name = Identifier.make()
        let lanes = group.loops.map {
            TaskLane(worker: self, handlers: handlers, loop: $0, name: "\(name)-\($0.index)")
        }
        state.withLock { state in
            state.lanes = lanes
            state.clock = clock
        }
        clock.start()
        for lane in lanes { lane.start() }
    }

    /// Takes no more, lets what runs finish, and gives back what takes too long.
    package func stop() async {
        let (lanes, clock) = state.withLock { state in
            defer {
                state.lanes = []
                state.clock = nil
            }
            return (state.lanes, state.clock)
        }
        await clock?.stop()
        await withTaskGroup(of: Void.self) { tasks in
            for lane in lanes { tasks.addTask { await lane.stop() } }
        }
    }

    /// Makes the streams and their group; again, this does nothing. Redis that lost its data needs it anew.
    func makeGroups() async throws {
        for stream in keys.streams {
            do {
                try await redis.command("XGROUP", "CREATE", stream, TaskKeys.group, "0", "MKSTREAM")
            } catch RedisError.server(let text) where text.hasPrefix("BUSYGROUP") {}
        }
    }
}
