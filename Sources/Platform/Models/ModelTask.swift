internal import FoundationEssentials
internal import PostgreSQL
internal import Security
internal import ServiceKit
package import Tasks

/// A change of one row that a worker of the model's service makes: what takes longer than a request should, or must happen
/// even when the process dies.
///
///     extension Company {
///         package static let activate = ModelTask<Company>("activate", of: "users")
///     }
///
///     tasks: [Company.activate.declaration]                                           // in the service's definition
///     companies.task(Company.activate, staff, "…") { company, _ in company.isActive = true }      // in its resource
///     let company = try await companies.tasks.run(Company.activate, on: id, as: caller)           // anywhere
///
/// The change, its hooks and the mark that it has happened are one transaction: a worker that dies makes it happen once.
package struct ModelTask<M: Model>: Sendable {
    let name: String
    let definition: TaskDefinition<ModelTaskInput, [UInt8]>

    /// For `tasks` of the service's definition.
    package var declaration: TaskDeclaration { definition.declaration }

    /// - Parameters: name: a word of the route: `activate`. - service: that keeps the model.
    package init(
        _ name: String, of service: String, priority: TaskPriority = .normal, retry: TaskRetry = TaskRetry(),
        timeLimitSeconds: Int = 60
    ) {
        self.name = name
        definition = TaskDefinition(
            TaskDeclaration(
                name: "\(M.schema.table).\(name)", service: service, effect: .once, priority: priority, retry: retry,
                timeLimitSeconds: timeLimitSeconds),
            encodeInput: { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) },
            decodeInput: { try JSONDecoder().decode(ModelTaskInput.self, from: Data($0.utf8)) },
            encodeOutput: { String(decoding: $0, as: UTF8.self) }, decodeOutput: { Array($0.utf8) })
    }
}

/// Which row, and in whose company when it is not the caller's own.
struct ModelTaskInput: Codable, Sendable {
    let id: String
    let company: String?

    init(_ id: ID, _ caller: Caller) {
        self.id = id.description
        company = caller.crossing
    }
}

/// Work on rows of a model that workers do: `manager.tasks`. Give a model's tasks names by extending this:
///
///     extension ModelTasks where M == Company {
///         package func activate(_ id: ID, as caller: Caller) async throws -> String {
///             try await start(Company.activate, on: id, as: caller)
///         }
///     }
package struct ModelTasks<M: Model>: Sendable {
    let client: TaskClient

    private static var keepsResultSeconds: Int { 3_600 }

    /// Hands the work to a worker.
    /// - Returns: the task's id.
    /// - Throws: `TaskError`, `RedisError`.
    package func start(_ task: ModelTask<M>, on id: ID, as caller: Caller) async throws -> String {
        try await client.enqueue(
            task.definition, ModelTaskInput(id, caller),
            TaskOptions(identity: caller.identity, keepsResultSeconds: Self.keepsResultSeconds))
    }

    /// The row as the work left it.
    /// - Parameter waitSeconds: 1 or more; the deadline of the current request shortens it.
    /// - Throws: `TaskError.notFinished` when it takes longer; `TaskRefusal` when there is no such row, or the work cannot be
    ///   done.
    package func result(of task: ModelTask<M>, id: String, waitSeconds: Int = 10) async throws -> M {
        let json = try await client.result(of: task.definition, id: id, waitSeconds: waitSeconds)
        guard let node = try? JSONNode(whole: json), let model = M.schema.model(json: node) else {
            throw TaskError.malformedResult(id: id)
        }
        return model
    }

    /// Hands the work to a worker, and waits for the row as the work left it; see `start` and `result`.
    package func run(_ task: ModelTask<M>, on id: ID, as caller: Caller, waitSeconds: Int = 10) async throws -> M {
        try await result(of: task, id: try await start(task, on: id, as: caller), waitSeconds: waitSeconds)
    }
}

extension Manager {
    /// Work on rows that workers do. Traps when the service's definition names no tasks.
    package var tasks: ModelTasks<M> {
        guard let taskClient else {
            preconditionFailure("tasks of \(M.schema.name) are used: name them in 'tasks' of the ServiceDefinition")
        }
        return ModelTasks(client: taskClient)
    }
}

extension LocalManager {
    /// What a worker does with a row.
    func perform(
        _ input: ModelTaskInput, _ context: TaskContext, in transaction: PostgreSQLTransaction,
        _ change: @escaping @Sendable (inout M, HookContext) async throws -> Void
    ) async throws -> [UInt8] {
        guard let identity = context.identity, let id = ID(input.id) else { throw M.schema.notFound }
        let caller = try Caller(identity, company: input.company)
        let hookContext = HookContext(caller: caller, transaction: transaction)
        let stored = try await update(id, caller, in: transaction, unless: { _ in }) {
            try await change(&$0, hookContext)
        }
        return M.schema.json(stored)
    }
}
