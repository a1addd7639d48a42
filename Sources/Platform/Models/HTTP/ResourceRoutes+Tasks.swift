internal import HTTP
internal import HTTPCodec
internal import ServiceKit
internal import Tasks

/// The routes of a model's tasks: `POST {path}/{id}/{name}` answers 202 with the task's id, `POST {path}/{id}/{name}-wait`
/// waits for the row.
extension ResourceRoutes {
    static var waitParameter: String { "wait_timeout" }
    static var defaultWaitSeconds: Int { 10 }

    func declareTasks(_ routes: RouteGroup, _ client: TaskClient) {
        let tasks = ModelTasks<M>(client: client)
        for task in resource.tasks {
            routes.post("/{id}/\(task.task.name)", task.access) { request in
                let (id, caller, _) = try await row(request, allowing: [])
                return TaskAnswer.accepted(
                    try await tasks.start(task.task, on: id, as: caller), of: task.task.definition.declaration.service)
            }
            routes.post("/{id}/\(task.task.name)-wait", task.access) { request in
                let (id, caller, _) = try await row(request, allowing: [Self.waitParameter])
                let seconds = try request.query(
                    Self.waitParameter, default: Self.defaultWaitSeconds, in: 1...TaskAnswer.maxWaitSeconds)
                let taskID = try await tasks.start(task.task, on: id, as: caller)
                do {
                    return Self.answer(try await tasks.result(of: task.task, id: taskID, waitSeconds: seconds))
                } catch TaskError.notFinished {
                    return TaskAnswer.accepted(taskID, of: task.task.definition.declaration.service)
                }
            }
        }
    }

    /// The row that is meant, which must be there: nothing is enqueued in vain.
    private func row(_ request: Request, allowing parameters: Set<String>) async throws -> (ID, Caller, M) {
        let (id, caller) = try Self.target(request, allowing: parameters)
        guard let model = try await manager.find(id, caller, in: nil) else { throw M.schema.notFound }
        return (id, caller, model)
    }
}
