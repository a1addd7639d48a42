internal import ServiceKit

/// The documents of a resource's routes, made from what the routes are made from.
extension ResourceRoutes {
    var operations: [APIOperation] {
        let permissions = resource.permissions
        var result: [APIOperation] = []
        if let access = permissions.list { result.append(listOperation(access)) }
        if let access = permissions.create { result.append(createOperation(access)) }
        if let access = permissions.get { result.append(showOperation(access)) }
        if let access = permissions.update {
            result.append(changeOperation("put", "Update", "Replaces", access))
            result.append(changeOperation("patch", "Patch", "Changes some fields of", access))
        }
        if let access = permissions.delete { result.append(deleteOperation(access)) }
        result += resource.actions.map(actionOperation)
        result += resource.tasks.flatMap { [startOperation($0), waitOperation($0)] }
        let rows = result.filter { $0.path != resource.path }.map(\.id)
        for index in result.indices where result[index].method == "post" && result[index].path == resource.path {
            result[index].links = rows
        }
        return result
    }

    private var schema: Schema<M> { M.schema }
    private var rowPath: String { resource.path + "/{id}" }
    private var row: JSONTree { APIDocument.reference(schema.name) }
    private var condition: JSONTree {
        Schema<M>.parameter(
            "If-Match", EntityTags.documentSchema,
            about: "The `ETag` that the row must have.",
            in: "header")
    }

    private func operation(
        _ method: String, _ path: String, _ id: String, _ summary: String, _ access: Access,
        _ answers: [(status: Int, about: String, schema: JSONTree?)], _ refusals: [Int]
    ) -> APIOperation {
        APIOperation(
            method, path, id: id, tag: schema.table, summary: summary, access: access, answers: answers,
            refusals: [400, 401, 403] + refusals)
    }

    private func listOperation(_ access: Access) -> APIOperation {
        var operation = operation(
            "get", resource.path, "list\(schema.name)", "A page of \(schema.name) rows", access,
            [(200, "a page", APIDocument.reference(schema.name + "Page"))], [422])
        operation.parameters = schema.listParameters
        return operation
    }

    private func createOperation(_ access: Access) -> APIOperation {
        var operation = operation(
            "post", resource.path, "create\(schema.name)", "Creates one \(schema.name)", access,
            [(201, "created", row)], [409, 413, 415, 422])
        operation.parameters = [
            Schema<M>.parameter(
                "Idempotency-Key", ["type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"],
                about: "Sent again with the same key, the request creates nothing new.", in: "header"),
            Schema<M>.newCompanyParameter,
        ]
        operation.body = APIDocument.reference(schema.name + "Create")
        return operation
    }

    private func showOperation(_ access: Access) -> APIOperation {
        var operation = operation(
            "get", rowPath, "get\(schema.name)", "One \(schema.name)", access,
            [(200, "the row", row), (304, "what you have is the newest", nil)], [404, 422])
        operation.parameters = [
            Schema<M>.idParameter,
            Schema<M>.parameter(
                "If-None-Match", EntityTags.documentSchema, about: "The `ETag` that you have.",
                in: "header"), Schema<M>.companyParameter,
        ]
        return operation
    }

    private func changeOperation(
        _ method: String, _ suffix: String, _ verb: String, _ access: Access
    ) -> APIOperation {
        var operation = operation(
            method, rowPath, "\(suffix.lowercased())\(schema.name)", "\(verb) one \(schema.name)", access,
            [(200, "the row as it is now", row)], [404, 409, 412, 413, 415, 422])
        operation.parameters = [Schema<M>.idParameter, condition, Schema<M>.companyParameter]
        operation.body = APIDocument.reference(schema.name + suffix)
        return operation
    }

    private func deleteOperation(_ access: Access) -> APIOperation {
        var operation = operation(
            "delete", rowPath, "delete\(schema.name)", "Deletes one \(schema.name)", access, [(204, "deleted", nil)],
            [404, 409, 412, 422])
        operation.parameters = [Schema<M>.idParameter, condition, Schema<M>.companyParameter]
        return operation
    }

    private func actionOperation(_ action: Resource<M>.Action) -> APIOperation {
        var operation = operation(
            "post", "\(rowPath)/\(action.name)", "\(action.name)\(schema.name)", action.about, action.access,
            [(200, "the row as it is now", row)], [404, 409, 412, 422])
        operation.parameters = [Schema<M>.idParameter, condition, Schema<M>.companyParameter]
        return operation
    }

    // MARK: Tasks

    private func startOperation(_ task: Resource<M>.WorkerTask) -> APIOperation {
        var operation = operation(
            "post", "\(rowPath)/\(task.task.name)", "\(task.task.name)\(schema.name)", task.about, task.access,
            [(202, "a worker will do it", APIDocument.reference("AcceptedTask"))], [404, 422])
        operation.parameters = [Schema<M>.idParameter, Schema<M>.companyParameter]
        return operation
    }

    private func waitOperation(_ task: Resource<M>.WorkerTask) -> APIOperation {
        var operation = operation(
            "post", "\(rowPath)/\(task.task.name)-wait", "\(task.task.name)\(schema.name)AndWait",
            "\(task.about); waits for it", task.access,
            [
                (200, "the row as it is now", row),
                (202, "it takes longer", APIDocument.reference("AcceptedTask")),
            ], [404, 409, 422])
        operation.parameters = [
            Schema<M>.idParameter,
            Schema<M>.parameter(Self.waitParameter, APIDocument.waitSchema(from: 1), about: "Seconds to wait."),
            Schema<M>.companyParameter,
        ]
        return operation
    }
}

extension EntityTags {
    fileprivate static var documentSchema: JSONTree {
        ["type": "string", "pattern": #"^([*]|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#]
    }
}
