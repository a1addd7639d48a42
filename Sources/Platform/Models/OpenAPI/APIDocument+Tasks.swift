internal import ServiceKit

/// How the document tells of tasks.
extension APIDocument {
    static func waitSchema(from least: Int) -> JSONTree {
        [
            "type": "integer", "minimum": .integer(least), "maximum": .integer(TaskAnswer.maxWaitSeconds),
        ]
    }

    /// The route of `Application.taskStatus`.
    static func taskStatus(of service: String) -> APIOperation {
        var operation = APIOperation(
            "get", TaskAnswer.statusPath(of: service) + "/{id}", id: "getTask", tag: "tasks",
            summary: "How a task of yours stands",
            access: .user, answers: [(200, "the task", reference("Task"))], refusals: [400, 401, 403, 404, 422])
        operation.parameters = [
            ["name": "id", "in": "path", "required": true, "schema": ["type": "string", "format": "uuid"]],
            [
                "name": "wait_timeout", "in": "query", "schema": waitSchema(from: 0),
                "description": "Seconds to wait for its end.",
            ],
        ]
        return operation
    }

    static var taskSchemas: [(name: String, schema: JSONTree)] {
        let id: JSONTree = ["type": "string", "format": "uuid"]
        return [
            (
                "AcceptedTask",
                [
                    "type": "object", "required": ["task_id", "status"],
                    "properties": ["task_id": id, "status": ["type": "string", "enum": ["pending"]]],
                ]
            ),
            (
                "Task",
                [
                    "type": "object", "required": ["task_id", "task", "status"],
                    "properties": [
                        "task_id": id, "task": ["type": "string"],
                        "status": ["type": "string", "enum": ["pending", "succeeded", "refused", "failed"]],
                        "result": ["description": "what it returned, once it has succeeded"],
                        "error": [
                            "type": "object",
                            "properties": [
                                "status": ["type": "integer"], "code": ["type": "string"],
                                "message": ["type": "string"],
                            ],
                        ],
                    ],
                ]
            ),
        ]
    }
}
