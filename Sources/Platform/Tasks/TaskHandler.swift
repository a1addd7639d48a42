internal import PostgreSQL
package import Security

/// What a handler knows of the task besides its input.
package struct TaskContext: Sendable {
    package let id: String
    /// 1 for the first run.
    package let attempt: Int
    /// On whose behalf; nil for the service's own.
    package let identity: Identity?
}

/// A task's handler without its types: JSON in, JSON out.
struct TaskHandler: Sendable {
    enum Outcome: Sendable {
        case done(String)
        /// It had its effect in an earlier run; what that one returned.
        case duplicate(String)
    }

    let declaration: TaskDeclaration
    let run: @Sendable (TaskEntry) async throws -> Outcome

    /// For a task that may be repeated.
    init<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ body: @escaping @Sendable (Input, TaskContext) async throws -> Output
    ) {
        declaration = task.declaration
        run = { entry in
            let input = try Self.input(entry, task)
            return .done(try task.encodeOutput(try await body(input, entry.handlerContext)))
        }
    }

    /// For a task whose effect is one transaction.
    init<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ database: PostgreSQLClient,
        _ body: @escaping @Sendable (Input, TaskContext, PostgreSQLTransaction) async throws -> Output
    ) {
        declaration = task.declaration
        run = { entry in
            let input = try Self.input(entry, task)
            return try await database.transaction { transaction in
                if let known = try await ProcessedTasks.take(entry, in: transaction) { return .duplicate(known) }
                let output = try task.encodeOutput(
                    try await body(input, entry.handlerContext, transaction))
                if entry.keepsResultSeconds > 0 {
                    try await ProcessedTasks.keep(output, of: entry, in: transaction)
                }
                return .done(output)
            }
        }
    }

    private static func input<Input, Output>(_ entry: TaskEntry, _ task: TaskDefinition<Input, Output>) throws -> Input
    {
        do { return try task.decodeInput(entry.input) } catch { throw UnreadableInput() }
    }
}

/// A task whose input is not what its definition says: trying again is of no use.
struct UnreadableInput: Error {}

extension TaskEntry {
    fileprivate var handlerContext: TaskContext { TaskContext(id: id, attempt: attempt, identity: identity) }
}
