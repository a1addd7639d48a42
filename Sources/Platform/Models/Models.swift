package import ServiceKit
internal import Synchronization
internal import Tasks
internal import Telemetry

/// The models of a service: which it keeps, which it reads from others, and which it offers over HTTP.
///
///     let models = Models(app)
///     models.resource(Supplier.self, at: "/api/v1/suppliers", .reading(.user, writing: .roles(["manager"])))
///     let users = models.remote(User.self, service: "users", path: "/api/v1/users")
///
/// Tables are compared with their schemas when the service starts; `/openapi.json` tells of every resource.
package final class Models: Sendable {
    let application: Application
    private let state = Mutex(State())

    private struct State: Sendable {
        var managers: [String: any AnyManager] = [:]
        var hasTaskStatus = false
    }

    /// During `build` only.
    package init(_ application: Application) {
        self.application = application
        // A service may have models of others only, and no database.
        if application.definition.database != nil {
            let database = application.database
            application.every(milliseconds: 3_600_000, "forget idempotency keys") {
                try await IdempotencyKeys.forgetOld(database)
            }
        }
    }

    // MARK: Registering

    /// A model that this service keeps, without routes of its own.
    @discardableResult
    package func local<M: Model>(_ type: M.Type, hooks: Hooks<M> = Hooks()) -> Manager<M> {
        application.component(SchemaCheck<M>(database: application.database))
        let manager = Manager<M>(
            home: .local(LocalManager(database: application.database, hooks: hooks)), taskClient: taskClient)
        register(manager)
        return manager
    }

    /// A model that another service keeps and offers under a path.
    /// - Parameters:
    ///   - service: its name in the platform; where it listens is known to `ServiceClient`.
    ///   - path: of its resource: `/api/v1/users`.
    @discardableResult
    package func remote<M: Model>(_ type: M.Type, service: String, path: String) -> Manager<M> {
        let remote = RemoteManager<M>(
            service: RemoteService(name: service, client: application.services), path: path)
        let manager = Manager<M>(home: .remote(remote), taskClient: taskClient)
        register(manager)
        return manager
    }

    /// A model that this service keeps and offers: the routes of P6 under a path, each with its own permission.
    /// - Parameter configure: adds hooks and actions.
    @discardableResult
    package func resource<M: Model>(
        _ type: M.Type, at path: String, _ permissions: Permissions, _ configure: (inout Resource<M>) -> Void = { _ in }
    ) -> Manager<M> {
        var resource = Resource<M>(path: path, permissions: permissions)
        configure(&resource)
        let manager = local(type, hooks: resource.hooks)
        guard case .local(let home) = manager.home else { return manager }
        let routes = ResourceRoutes(resource: resource, manager: home, database: application.database)
        if let taskClient, !resource.tasks.isEmpty { perform(resource.tasks, home, taskClient) }
        application.routes(path) { group in
            routes.declare(group)
            if let taskClient { routes.declareTasks(group, taskClient) }
        }
        application.document(routes.operations, schemas: M.schema.documents)
        return manager
    }

    /// Where tasks of models wait; nil in a service without tasks.
    private var taskClient: TaskClient? { application.definition.tasks.isEmpty ? nil : application.tasks }

    /// Handles the tasks of a resource, and offers the route that tells how they stand.
    private func perform<M: Model>(
        _ tasks: [Resource<M>.WorkerTask], _ manager: LocalManager<M>, _ client: TaskClient
    ) {
        for task in tasks {
            application.performOnce(task.task.definition) { input, context, transaction in
                try await manager.perform(input, context, in: transaction, task.body)
            }
        }
        let isFirst = state.withLock { state in
            defer { state.hasTaskStatus = true }
            return !state.hasTaskStatus
        }
        guard isFirst else { return }
        application.taskStatus()
        application.document(
            [APIDocument.taskStatus(of: application.definition.name)], schemas: APIDocument.taskSchemas)
    }

    private func register<M: Model>(_ manager: Manager<M>) {
        state.withLock { state in
            precondition(state.managers[M.schema.name] == nil, "the model \(M.schema.name) is registered twice")
            state.managers[M.schema.name] = manager
        }
    }

    // MARK: Asking

    /// The manager of a registered model. Traps when there is none.
    package func manager<M: Model>(_ type: M.Type) -> Manager<M> {
        guard let manager = manager(named: M.schema.name) as? Manager<M> else {
            preconditionFailure("the model \(M.schema.name) is not registered: call local, remote or resource first")
        }
        return manager
    }

    /// The manager of the model of this name (`PurchaseOrder`), which speaks JSON; nil when there is none.
    package func manager(named name: String) -> (any AnyManager)? { state.withLock { $0.managers[name] } }
}

/// A manager whose model is known by name only: rows are JSON as clients see it.
package protocol AnyManager: Sendable {
    func findJSON(_ id: ID, as caller: Caller) async throws -> [UInt8]?
    func listJSON(_ query: ListQuery, as caller: Caller) async throws -> [[UInt8]]
    func delete(_ id: ID, as caller: Caller) async throws
}

extension Manager: AnyManager {
    package func findJSON(_ id: ID, as caller: Caller) async throws -> [UInt8]? {
        try await find(id, as: caller).map(M.schema.json)
    }
    package func listJSON(_ query: ListQuery, as caller: Caller) async throws -> [[UInt8]] {
        try await list(query, as: caller).items.map(M.schema.json)
    }
    package func delete(_ id: ID, as caller: Caller) async throws { try await delete(id, as: caller, in: nil) }
}
