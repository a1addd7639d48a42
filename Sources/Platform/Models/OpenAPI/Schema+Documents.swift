internal import ServiceKit

/// What OpenAPI says of a model: its JSON, what creates and changes it, its pages, the parameters of its lists.
extension Schema {
    /// The components that operations refer to.
    var documents: [(name: String, schema: JSONTree)] {
        [
            (name, object(fields.filter(\.isVisible), required: { _ in true }, isInput: false)),
            (name + "Create", object(fields.filter(\.isWritableOnCreate), required: \.isRequired, isInput: true)),
            (
                name + "Update",
                object(fields.filter(\.isWritableOnUpdate), required: { $0.isRequired && $0.isVisible }, isInput: true)
            ),
            (name + "Patch", object(fields.filter(\.isWritableOnUpdate), required: { _ in false }, isInput: true)),
            (name + "Page", page),
        ]
    }

    private func object(_ fields: [Field<M>], required: (Field<M>) -> Bool, isInput: Bool) -> JSONTree {
        var properties: [JSONTree.Member] = []
        if !isInput {
            properties.append(.init(name: "id", value: ["type": "string", "format": "uuid"]))
            properties.append(.init(name: "lsn", value: ["type": "integer", "description": "grows with every row"]))
        }
        for field in fields { properties.append(.init(name: field.name, value: Self.property(field))) }
        properties.append(
            .init(name: "vars", value: ["type": "object", "description": "whatever you like to keep with the row"]))
        if !isInput {
            properties.append(.init(name: "company_id", value: ["type": ["string", "null"], "format": "uuid"]))
            for name in ["created_at", "updated_at"] {
                properties.append(.init(name: name, value: ["type": "string", "format": "date-time"]))
            }
        }
        var names = fields.filter(required).map(\.name)
        if !isInput { names += Column.baseNames }
        var schema: JSONTree = ["type": "object", "properties": .object(properties)]
        if !names.isEmpty { schema = schema.adding(["required": .array(names.map { .string($0) })]) }
        if isInput { schema = schema.adding(["additionalProperties": false]) }
        return schema
    }

    private static func property(_ field: Field<M>) -> JSONTree {
        var schema = field.facts.schema
        if field.facts.isOptional { schema = nullable(schema) }
        if !field.about.isEmpty { schema = schema.adding(["description": .string(field.about)]) }
        if field.traits.contains(.readOnly) { schema = schema.adding(["readOnly": true]) }
        if field.traits.contains(.hidden) { schema = schema.adding(["writeOnly": true]) }
        return schema
    }

    private static func nullable(_ schema: JSONTree) -> JSONTree {
        var result = schema
        if let type = schema["type"] { result = result.adding(["type": [type, "null"]]) }
        if case .array(let values)? = schema["enum"] { result = result.adding(["enum": .array(values + [.null])]) }
        return result
    }

    private var page: JSONTree {
        [
            "type": "object", "required": ["items", "next_cursor", "limit", "count"],
            "properties": [
                "items": ["type": "array", "items": APIDocument.reference(name)],
                "next_cursor": ["type": ["integer", "null"], "description": "`cursor` of the next page"],
                "limit": ["type": "integer"], "count": ["type": "integer", "description": "items of this page"],
            ],
        ]
    }

    // MARK: Parameters

    static func parameter(_ name: String, _ schema: JSONTree, about: String = "", in place: String = "query")
        -> JSONTree
    {
        var parameter: JSONTree = ["name": .string(name), "in": .string(place), "schema": schema]
        if place == "path" { parameter = parameter.adding(["required": true]) }
        if !about.isEmpty { parameter = parameter.adding(["description": .string(about)]) }
        return parameter
    }

    /// A new row is one company's.
    static var newCompanyParameter: JSONTree {
        parameter(
            Caller.parameter,
            ["anyOf": [["type": "string", "format": "uuid"], ["type": "string", "enum": ["platform"]]]],
            about: "For superusers: another company, or none.")
    }

    static var companyParameter: JSONTree {
        parameter(
            Caller.parameter,
            ["anyOf": [["type": "string", "format": "uuid"], ["type": "string", "enum": ["platform", "all"]]]],
            about: "For superusers: another company, the platform's own rows, or everybody's.")
    }

    static var idParameter: JSONTree { parameter("id", ["type": "string", "format": "uuid"], in: "path") }

    /// The parameters of a list.
    var listParameters: [JSONTree] {
        var parameters = [
            Self.parameter(
                "cursor",
                ["type": "integer", "minimum": 0, "maximum": .integer(IntegerRule.exact.upperBound)],
                about: "`next_cursor` of the page before."),
            Self.parameter(
                "limit",
                [
                    "type": "integer", "minimum": 1, "maximum": .integer(ListQuery.maxLimit),
                    "default": .integer(ListQuery.defaultLimit),
                ]),
            Self.parameter("direction", ["type": "string", "enum": ["asc", "desc"], "default": "asc"]),
            orderParameter,
        ]
        if columns.contains(where: \.isSearchable) {
            let names = columns.filter(\.isSearchable).map(\.name).joined(separator: ", ")
            parameters.append(
                Self.parameter(
                    "search",
                    [
                        "type": "string", "minLength": 1, "maxLength": .integer(ListQuery.maxSearchCharacters),
                        "pattern": .string(Self.withoutNUL),
                    ], about: "Looks into \(names)."))
        }
        for column in columns {
            for comparison in column.operators { parameters.append(Self.filter(column, comparison)) }
        }
        return parameters + [Self.companyParameter]
    }

    private static var withoutNUL: String { #"^[^\u0000]*$"# }

    private var orderParameter: JSONTree {
        let names = columns.flatMap { [$0.name, "-" + $0.name] }.map { JSONTree.string($0) }
        return Self.parameter(
            "order_by",
            [
                "type": "array", "items": ["type": "string", "enum": .array(names)], "minItems": 1, "maxItems": 1,
            ], about: "Up to \(ListQuery.maxOrder) fields with commas between them, `-` for descending."
        ).adding(["style": "form", "explode": false])
    }

    private static func filter(_ column: Column, _ comparison: FilterOperator) -> JSONTree {
        let name = comparison.parameterName(column.name)
        let isText = column.sqlType == "text" && column.operators.contains(.like)
        switch comparison {
        case .isNull: return parameter(name, ["type": "boolean"])
        case .isIn, .isNotIn:
            var items = column.filterSchema
            if isText { items = items.adding(["pattern": .string(#"^[^,\u0000]+$"#)]) }
            return parameter(
                name,
                ["type": "array", "items": items, "minItems": 1, "maxItems": .integer(ListQuery.maxListed)]
            ).adding(["style": "form", "explode": false])
        case .like, .ilike:
            return parameter(
                name,
                [
                    "type": "string", "maxLength": .integer(ListQuery.maxFilterCharacters),
                    "pattern": .string(#"^[^\\\u0000]*$"#),
                ], about: "`%` stands for any text, `_` for one character.")
        default:
            return parameter(
                name, isText ? column.filterSchema.adding(["pattern": .string(withoutNUL)]) : column.filterSchema)
        }
    }
}
