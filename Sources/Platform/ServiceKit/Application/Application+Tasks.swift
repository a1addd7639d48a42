internal import HTTPCodec
package import PostgreSQL
internal import Redis
package import Tasks
internal import Telemetry

/// What a service does later or elsewhere: its own tasks, which its workers run, and those of others, which it enqueues.
extension Application {
    /// Enqueues tasks and waits for their results. Traps when the definition names no tasks.
    package var tasks: TaskClient {
        guard let taskClient else {
            preconditionFailure("'\(definition.name)' asks for tasks: declare them in its ServiceDefinition")
        }
        return taskClient
    }

    /// Handles a task that may be repeated: it runs at least once.
    package func perform<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ body: @escaping @Sendable (Input, TaskContext) async throws -> Output
    ) { ownWorker(task.name).on(task, body) }

    /// Handles a task whose effect is the given transaction of the service's database: it happens exactly once, however
    /// often the task runs. Events go along: `app.outbox.append(event, in: transaction)`.
    package func performOnce<Input, Output>(
        _ task: TaskDefinition<Input, Output>,
        _ body: @escaping @Sendable (Input, TaskContext, PostgreSQLTransaction) async throws -> Output
    ) { ownWorker(task.name).once(task, body) }

    /// Enqueues a task of this service once a period, whichever of its processes are running; see `TaskWorker.every`.
    /// - Parameter seconds: 1 or more.
    package func every<Input, Output>(
        seconds: Int, _ task: TaskDefinition<Input, Output>, _ input: Input
    ) throws { try ownWorker(task.name).every(seconds: seconds, task, input) }

    private func ownWorker(_ task: String) -> TaskWorker {
        guard let taskWorker else {
            preconditionFailure("'\(definition.name)' handles \(task): name it in 'tasks' of its ServiceDefinition")
        }
        return taskWorker
    }

    // MARK: Making

    /// - Parameter redis: of a service that has tasks.
    static func makeTasks(
        _ definition: ServiceDefinition, _ platform: Platform, redis: RedisClient?, database: PostgreSQLClient?,
        telemetry: Telemetry
    ) -> (TaskClient?, TaskWorker?) {
        guard !definition.tasks.isEmpty, let redis else { return (nil, nil) }
        let telemetry = TaskTelemetry(telemetry, redis: redis)
        for task in definition.tasks { telemetry.expectEnqueueing(task.name) }
        let settings = platform.settings.tasks
        let client = TaskClient(redis: redis, limits: settings.limits, telemetry: telemetry)
        guard !definition.ownTasks.isEmpty else { return (client, nil) }
        var configuration = settings.worker
        // The rest of the time is for what must be cancelled.
        configuration.drainMilliseconds = max(1, platform.settings.drainTimeoutSeconds - 3) * 1_000
        return (
            client,
            TaskWorker(
                service: definition.name, redis: redis, database: database, group: platform.group,
                telemetry: telemetry, limits: settings.limits, configuration: configuration)
        )
    }

    /// Holds what has a handler against what is declared, when `build` has run.
    /// - Throws: `TaskMismatch`.
    func checkTasks() throws(TaskMismatch) {
        guard let taskWorker else { return }
        let declared = Set(definition.ownTasks)
        guard taskWorker.declarations == declared else {
            throw TaskMismatch(handled: taskWorker.declarations, declared: declared)
        }
        guard let databaseClient, declared.contains(where: { $0.effect == .once }) else { return }
        every(milliseconds: 3_600_000, "forget processed tasks") {
            try await ProcessedTasks.forgetOld(databaseClient)
        }
    }
}

extension ServiceDefinition {
    /// The tasks that its own workers run.
    package var ownTasks: [TaskDeclaration] { tasks.filter { $0.service == name } }
}

/// What a service's definition says that its workers run is not what has a handler.
package struct TaskMismatch: Error, CustomStringConvertible {
    let handled: Set<TaskDeclaration>
    let declared: Set<TaskDeclaration>

    package var description: String {
        let undeclared = handled.subtracting(declared).map(\.name).sorted()
        let unhandled = declared.subtracting(handled).map(\.name).sorted()
        return [
            undeclared.isEmpty ? nil : "add \(undeclared.joined(separator: ", ")) to 'tasks' of its definition",
            unhandled.isEmpty
                ? nil : "'tasks' of its definition names \(unhandled.joined(separator: ", ")), which nothing handles",
        ].compactMap(\.self).joined(separator: "; ")
    }
}
