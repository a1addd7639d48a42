/// What the OpenAPI document says of a route beyond its method, path and access. Types are learnt from how they decode.
///
///     routes.post("/items", .user, add)
///         .about("Puts a product into the cart").takes(NewItem.self).answers(CartItemView.self).refuses(404)
package struct RouteNotes {
    private let group: RouteGroup
    private let index: Int

    init(group: RouteGroup, index: Int) {
        self.group = group
        self.index = index
    }

    private func change(_ body: (inout APIOperation) -> Void) -> RouteNotes {
        body(&group.operations[index])
        return self
    }

    /// What it does, in a few words.
    @discardableResult
    package func about(_ summary: String) -> RouteNotes { change { $0.summary = summary } }

    /// The JSON body; unknown fields are refused when the type is `StrictKeys`.
    @discardableResult
    package func takes<T: Decodable>(_ type: T.Type) -> RouteNotes {
        var schema = DecodedSchema.of(type)
        if type is any StrictKeys.Type { schema = schema.adding(["additionalProperties": false]) }
        return takes(schema, "application/json")
    }

    /// A form with these text fields.
    @discardableResult
    package func takesForm(_ required: [String], optional: [String] = []) -> RouteNotes {
        var schema: JSONTree = [
            "type": "object",
            "properties": .object((required + optional).map { .init(name: $0, value: ["type": "string"]) }),
        ]
        if !required.isEmpty { schema = schema.adding(["required": .array(required.map { .string($0) })]) }
        return takes(schema, "application/x-www-form-urlencoded")
    }

    private func takes(_ schema: JSONTree, _ type: String) -> RouteNotes {
        change { operation in
            operation.body = schema
            operation.bodyType = type
            operation.refuse([400, 413, 415, 422])
        }
    }

    /// A parameter of the query.
    @discardableResult
    package func query(_ name: String, _ schema: JSONTree, isRequired: Bool = false, _ about: String = "") -> RouteNotes
    {
        parameter("query", name, schema, isRequired, about).change { $0.refuse([422]) }
    }

    /// A field of the head.
    @discardableResult
    package func header(_ name: String, _ schema: JSONTree, _ about: String = "") -> RouteNotes {
        parameter("header", name, schema, false, about)
    }

    private func parameter(
        _ place: String, _ name: String, _ schema: JSONTree, _ isRequired: Bool, _ about: String
    ) -> RouteNotes {
        var parameter: JSONTree = ["name": .string(name), "in": .string(place), "schema": schema]
        if isRequired { parameter = parameter.adding(["required": true]) }
        if !about.isEmpty { parameter = parameter.adding(["description": .string(about)]) }
        return change { $0.parameters.append(parameter) }
    }

    /// An answer with a JSON body.
    @discardableResult
    package func answers<T: Decodable>(_ type: T.Type, _ status: Int = 200, _ about: String = "done") -> RouteNotes {
        change { $0.answers.append((status, about, DecodedSchema.of(type))) }
    }

    /// An answer whose body is not told of, or empty.
    @discardableResult
    package func answers(_ status: Int, _ about: String = "done") -> RouteNotes {
        change { $0.answers.append((status, about, nil)) }
    }

    /// Statuses of refusals beside those that follow from access, path and body.
    @discardableResult
    package func refuses(_ statuses: Int...) -> RouteNotes { change { $0.refuse(statuses) } }
}

extension APIOperation {
    /// What follows from the declaration of a route.
    init(_ route: Route, group prefix: String) {
        let segments = PathTemplate.segments(of: route.template)
        var id = route.method.name.lowercased()
        var parameters: [JSONTree] = []
        for segment in segments {
            switch segment {
            case .literal(let text): id += Self.word(text)
            case .parameter(let name):
                id += "By" + Self.word(name)
                parameters.append([
                    "name": .string(name), "in": "path", "required": true,
                    "schema": ["type": "string", "minLength": 1],
                ])
            }
        }
        var tag = "service"
        for case .literal(let text) in PathTemplate.segments(of: prefix) { tag = text }
        self.init(
            route.method.name.lowercased(), route.template, id: id, tag: tag, summary: "", access: route.access,
            answers: [], refusals: [])
        errors = route.shape
        self.parameters = parameters
        switch route.access {
        case .open: break
        case .user: refuse([401])
        case .roles, .permission, .service: refuse([401, 403])
        }
        if !parameters.isEmpty { refuse([404]) }
    }

    mutating func refuse(_ statuses: [Int]) { refusals = Set(refusals + statuses).sorted() }

    /// `order-api` as `OrderApi`.
    private static func word(_ text: String) -> String {
        text.split { !$0.isLetter && !$0.isNumber }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
