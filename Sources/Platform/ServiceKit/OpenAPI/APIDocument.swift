internal import Security

/// An OpenAPI 3.1 document: rendered from what routes and resources say of themselves.
package struct APIDocument: Sendable {
    package var operations: [APIOperation] = []
    package var schemas: [(name: String, schema: JSONTree)] = []

    package init() {}

    /// A reference to one of the schemas.
    package static func reference(_ name: String) -> JSONTree { ["$ref": .string("#/components/schemas/\(name)")] }

    /// The document as JSON.
    package func render(title: String, about: String) -> JSONTree {
        var paths: [(path: String, operations: [JSONTree.Member])] = []
        var ids: Set<String> = []
        for operation in operations {
            var operation = operation
            // Two paths may have the same words.
            let id = operation.id
            var copies = 1
            while !ids.insert(operation.id).inserted {
                copies += 1
                operation.id = "\(id)_\(copies)"
            }
            let member = JSONTree.Member(name: operation.method, value: Self.render(operation))
            if let index = paths.firstIndex(where: { $0.path == operation.path }) {
                paths[index].operations.append(member)
            } else {
                paths.append((operation.path, [member]))
            }
        }
        let shapes = Set(operations.map(\.errors.documentName))
        let errors = ErrorShape.documents.filter { shapes.contains($0.name) }
        return [
            "openapi": "3.1.0",
            "info": ["title": .string(title), "summary": .string(about), "version": "1.0"],
            "paths": .object(paths.map { .init(name: $0.path, value: .object($0.operations)) }),
            "components": [
                "schemas": .object((schemas + errors).map { .init(name: $0.name, value: $0.schema) }),
                "securitySchemes": Self.securitySchemes,
            ],
        ]
    }

    /// Components that are the same in every document of the platform: errors and security schemes.
    package static let sharedComponents: JSONTree = [
        "schemas": .object(ErrorShape.documents.map { .init(name: $0.name, value: $0.schema) }),
        "securitySchemes": securitySchemes,
    ]

    private static let securitySchemes: JSONTree = [
        "bearer": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
        "service": [
            "type": "apiKey", "in": "header", "name": .string(IdentitySigner.header),
            "description": "The identity that services of the platform sign for one another.",
        ],
    ]

    private static func render(_ operation: APIOperation) -> JSONTree {
        var members: [JSONTree.Member] = [
            .init(name: "operationId", value: .string(operation.id)),
            .init(name: "tags", value: [.string(operation.tag)]),
        ]
        if !operation.summary.isEmpty { members.append(.init(name: "summary", value: .string(operation.summary))) }
        if let permission = Self.permission(operation.access) {
            members.append(.init(name: "description", value: .string(permission)))
            var scheme = "bearer"
            if case .service = operation.access { scheme = "service" }
            members.append(.init(name: "security", value: [.object([.init(name: scheme, value: [])])]))
        }
        if !operation.parameters.isEmpty {
            members.append(.init(name: "parameters", value: .array(operation.parameters)))
        }
        if let body = operation.body {
            let content = JSONTree.Member(name: operation.bodyType, value: ["schema": body])
            members.append(.init(name: "requestBody", value: ["required": true, "content": .object([content])]))
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
        let content = JSONTree.Member(
            name: operation.errors.contentType, value: ["schema": reference(operation.errors.documentName)])
        let refusal: JSONTree = ["content": .object([content])]
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
}
