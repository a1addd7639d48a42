package import ServiceKit

/// One operation as the OpenAPI document tells of it.
package struct APIOperation: Sendable {
    /// Lower case: `get`.
    package var method: String
    package var path: String
    package var summary: String
    /// What it is listed under.
    package var tag: String
    /// Unique in the document.
    package var id: String
    package var access: Access
    /// OpenAPI parameter objects.
    package var parameters: [JSONTree] = []
    /// JSON Schema of the body; nil for none.
    package var body: JSONTree?
    /// Each status with its words and the JSON Schema of its body; refusals are problem details without being told.
    package var answers: [(status: Int, about: String, schema: JSONTree?)]
    /// Statuses of refusals.
    package var refusals: [Int]
    /// Operations that take the `id` of the first answer's row.
    package var links: [String] = []

    package init(
        _ method: String, _ path: String, id: String, tag: String, summary: String, access: Access,
        answers: [(status: Int, about: String, schema: JSONTree?)], refusals: [Int]
    ) {
        self.method = method
        self.path = path
        self.id = id
        self.tag = tag
        self.summary = summary
        self.access = access
        self.answers = answers
        self.refusals = refusals
    }
}

/// An OpenAPI 3.1 document: rendered from what the resources say of themselves.
struct APIDocument: Sendable {
    var operations: [APIOperation] = []
    var schemas: [(name: String, schema: JSONTree)] = []

    static func reference(_ name: String) -> JSONTree { ["$ref": .string("#/components/schemas/\(name)")] }

    func render(title: String, about: String) -> JSONTree {
        var paths: [(path: String, operations: [JSONTree.Member])] = []
        for operation in operations {
            let member = JSONTree.Member(name: operation.method, value: Self.render(operation))
            if let index = paths.firstIndex(where: { $0.path == operation.path }) {
                paths[index].operations.append(member)
            } else {
                paths.append((operation.path, [member]))
            }
        }
        var named = schemas.map { JSONTree.Member(name: $0.name, value: $0.schema) }
        named.append(.init(name: "Problem", value: Self.problem))
        return [
            "openapi": "3.1.0",
            "info": ["title": .string(title), "summary": .string(about), "version": "1.0"],
            "paths": .object(paths.map { .init(name: $0.path, value: .object($0.operations)) }),
            "components": [
                "schemas": .object(named),
                "securitySchemes": ["bearer": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"]],
            ],
        ]
    }

    private static func render(_ operation: APIOperation) -> JSONTree {
        var members: [JSONTree.Member] = [
            .init(name: "operationId", value: .string(operation.id)),
            .init(name: "tags", value: [.string(operation.tag)]),
            .init(name: "summary", value: .string(operation.summary)),
        ]
        if let permission = Self.permission(operation.access) {
            members.append(.init(name: "description", value: .string(permission)))
            members.append(.init(name: "security", value: [["bearer": []]]))
        }
        if !operation.parameters.isEmpty {
            members.append(.init(name: "parameters", value: .array(operation.parameters)))
        }
        if let body = operation.body {
            members.append(
                .init(
                    name: "requestBody",
                    value: ["required": true, "content": ["application/json": ["schema": body]]]))
        }
        members.append(.init(name: "responses", value: responses(operation)))
        return .object(members)
    }

    private static func responses(_ operation: APIOperation) -> JSONTree {
        var members: [JSONTree.Member] = []
        for (index, (status, about, schema)) in operation.answers.enumerated() {
            var response: JSONTree = ["description": .string(about)]
            if let schema { response = response.adding(["content": ["application/json": ["schema": schema]]]) }
            if index == 0, !operation.links.isEmpty {
                let links = operation.links.map { id in
                    JSONTree.Member(
                        name: id, value: ["operationId": .string(id), "parameters": ["id": "$response.body#/id"]])
                }
                response = response.adding(["links": .object(links)])
            }
            members.append(.init(name: "\(status)", value: response))
        }
        let refusal: JSONTree = ["content": ["application/problem+json": ["schema": reference("Problem")]]]
        for status in operation.refusals {
            let about = Self.refusalWords[status] ?? "refused"
            members.append(.init(name: "\(status)", value: refusal.adding(["description": .string(about)])))
        }
        members.append(
            .init(
                name: "default", value: refusal.adding(["description": "something is wrong, or too much is going on"])))
        return .object(members)
    }

    private static let refusalWords = [
        400: "the query or the body cannot be read", 401: "no valid token", 403: "not permitted",
        404: "there is nothing with this id", 409: "another row stands in the way",
        412: "the row has changed since", 413: "the body is too large", 415: "the body is not JSON",
        422: "a field is wrong: `errors` says which and why",
    ]

    private static func permission(_ access: Access) -> String? {
        switch access {
        case .open: nil
        case .user: "For anybody with a token."
        case .roles(let roles): "For the roles \(roles.joined(separator: ", "))."
        case .permission(let grant):
            "For the roles \(grant.roles.joined(separator: ", ")), and whoever has the permission \(grant.permission)."
        case .service: "For other services of the platform."
        }
    }

    /// RFC 9457.
    private static let problem: JSONTree = [
        "type": "object", "required": ["title", "status", "code"],
        "properties": [
            "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
            "detail": ["type": "string"], "code": ["type": "string"], "trace_id": ["type": "string"],
            "request_id": ["type": "string"],
            "errors": [
                "type": "array",
                "items": [
                    "type": "object", "required": ["loc", "msg", "type"],
                    "properties": [
                        "loc": ["type": "array", "items": ["type": ["string", "integer"]]],
                        "msg": ["type": "string"], "type": ["type": "string"],
                    ],
                ],
            ],
        ],
    ]
}
