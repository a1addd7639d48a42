package import ServiceKit

/// Who may do what with a resource; an operation without a permission has no route.
package struct Permissions: Sendable {
    package var list: Access?
    package var get: Access?
    package var create: Access?
    /// PUT and PATCH.
    package var update: Access?
    package var delete: Access?

    package init(
        list: Access? = nil, get: Access? = nil, create: Access? = nil, update: Access? = nil, delete: Access? = nil
    ) {
        self.list = list
        self.get = get
        self.create = create
        self.update = update
        self.delete = delete
    }

    /// Some read, some write; nil for nobody.
    package static func reading(_ reading: Access?, writing: Access?) -> Permissions {
        Permissions(list: reading, get: reading, create: writing, update: writing, delete: writing)
    }
}

/// What a model is offered as: where, to whom, and what happens beside storing it.
package struct Resource<M: Model>: Sendable {
    let path: String
    let permissions: Permissions
    package var hooks = Hooks<M>()
    private(set) var actions: [Action] = []
    private(set) var tasks: [WorkerTask] = []

    struct Action: Sendable {
        let name: String
        let access: Access
        let about: String
        let body: @Sendable (inout M, HookContext) async throws -> Void
    }

    struct WorkerTask: Sendable {
        let task: ModelTask<M>
        let access: Access
        let about: String
        let body: @Sendable (inout M, HookContext) async throws -> Void
    }

    init(path: String, permissions: Permissions) {
        self.path = path
        self.permissions = permissions
    }

    /// Adds `POST {path}/{id}/{name}`: changes the row in a transaction that holds it, and answers with it. What the
    /// body throws undoes the change.
    /// - Parameter about: one sentence for the API document.
    package mutating func action(
        _ name: String, _ access: Access, _ about: String,
        _ body: @escaping @Sendable (inout M, HookContext) async throws -> Void
    ) { actions.append(Action(name: name, access: access, about: about, body: body)) }

    /// Adds `POST {path}/{id}/{name}`, which hands the work to a worker and answers 202 with the task's id, and
    /// `POST {path}/{id}/{name}-wait?wait_timeout=1…60` (10), which answers with the row as the work left it, or with 202
    /// when that takes longer. `GET /api/v1/tasks/<service>/{id}` tells how the task stands. Name the task in `tasks` of the service's
    /// definition.
    /// - Parameters:
    ///   - about: one sentence for the API document.
    ///   - body: what the worker does, in a transaction that holds the row, as the caller; once, however often it runs. An
    ///     `HTTPError` 4xx is its answer; anything else is tried again.
    package mutating func task(
        _ task: ModelTask<M>, _ access: Access, _ about: String,
        _ body: @escaping @Sendable (inout M, HookContext) async throws -> Void
    ) { tasks.append(WorkerTask(task: task, access: access, about: about, body: body)) }
}
