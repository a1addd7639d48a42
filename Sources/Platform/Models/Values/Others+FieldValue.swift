internal import ServiceKit
package import PostgreSQL
package import Telemetry
package import Values

/// A rule that asks nothing.
package struct NoRule: Sendable, Hashable {
    package init() {}
}

extension Bool: FieldValue {
    package static var openRule: NoRule { NoRule() }
    package static func facts(_ rule: NoRule) -> FieldFacts {
        FieldFacts(
            sqlType: "boolean", operators: [.eq, .neq, .isNull], schema: ["type": "boolean"],
            filterSchema: ["type": "boolean"])
    }
    package static func read(column: UnsafeRawBufferPointer?) -> Bool? {
        guard let column, column.count == 1 else { return nil }
        return column[0] == UInt8(ascii: "t")
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(self ? "t" : "f") }
    package static func read(json: JSONInput, _ rule: NoRule) throws(FieldProblem) -> Bool {
        guard let value = json.node.bool else {
            throw FieldProblem("Input should be a valid boolean", type: "bool_type")
        }
        return value
    }
    package func write(to buffer: inout ByteBuffer) { buffer.append(self ? "true" : "false" as StaticString) }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        switch text {
        case "true": true.parameter
        case "false": false.parameter
        default: throw FieldProblem("Input should be true or false", type: "bool_parsing")
        }
    }
    package func check(_ rule: NoRule) throws(FieldProblem) {}
}

extension Timestamp: FieldValue {
    package static var openRule: NoRule { NoRule() }
    package static func facts(_ rule: NoRule) -> FieldFacts {
        FieldFacts(
            sqlType: "timestamp with time zone", operators: FilterOperator.ordered,
            schema: ["type": "string", "format": "date-time"], filterSchema: ["type": "string", "format": "date-time"])
    }
    package static func read(column: UnsafeRawBufferPointer?) -> Timestamp? {
        guard let column else { return nil }
        return Timestamp(String(decoding: column, as: UTF8.self))
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(description) }
    package static func read(json: JSONInput, _ rule: NoRule) throws(FieldProblem) -> Timestamp {
        guard let text = json.node.string else { throw notATime }
        return try parse(text)
    }
    package func write(to buffer: inout ByteBuffer) { buffer.appendJSONString(description) }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        try parse(text).parameter
    }
    package func check(_ rule: NoRule) throws(FieldProblem) {
        guard Self.storable.contains(self) else { throw Self.notATime }
    }

    /// RFC 3339, section 5.6, from year 1 to 9999: years that PostgreSQL and RFC 3339 both know.
    private static func parse(_ text: String) throws(FieldProblem) -> Timestamp {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t"),
            bytes.last == UInt8(ascii: "Z") || bytes.last == UInt8(ascii: "z")
                || bytes[bytes.count - 3] == UInt8(ascii: ":"),
            let time = Timestamp(withNineDecimals(text)), storable.contains(time)
        else { throw notATime }
        return time
    }

    /// RFC 3339 allows any number of decimals; what is finer than a microsecond is cut off anyway.
    private static func withNineDecimals(_ text: String) -> String {
        guard let point = text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return text }
        let decimals = text[text.index(after: point)...].prefix { $0.isASCII && $0.isNumber }
        guard decimals.utf8.count > 9 else { return text }
        return String(text[...point] + decimals.prefix(9) + text[decimals.endIndex...])
    }

    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z
    private static let storable =
        Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)

    private static var notATime: FieldProblem {
        FieldProblem("Input should be a time by RFC 3339 such as 2026-01-31T12:00:00Z", type: "datetime_parsing")
    }
}

/// What an identifier may be.
package struct IDRule: Sendable {
    /// Asked late: models may refer to each other and to themselves.
    let reference: (@Sendable () -> ModelReference)?
    package static let any = IDRule(reference: nil)
    /// The id of a row of another model of this service, and of the same company.
    package static func references<M: Model>(
        _ type: M.Type, onDelete deletion: ModelReference.Deletion = .restrict
    ) -> IDRule {
        IDRule { ModelReference(table: M.schema.table, model: M.schema.name, deletion: deletion) }
    }
    /// The same, for a model that is not compiled yet.
    package static func references(table: String, model: String) -> IDRule {
        IDRule { ModelReference(table: table, model: model, deletion: .restrict) }
    }
}

extension ID: FieldValue {
    package static var openRule: IDRule { .any }
    package static func facts(_ rule: IDRule) -> FieldFacts {
        FieldFacts(
            sqlType: "uuid", operators: FilterOperator.equality, schema: ["type": "string", "format": "uuid"],
            filterSchema: ["type": "string", "format": "uuid"], reference: rule.reference)
    }
    package static func read(column: UnsafeRawBufferPointer?) -> ID? { column.flatMap { ID(bytes: $0) } }
    package var parameter: PostgreSQLParameter { postgreSQLParameter }
    package static func read(json: JSONInput, _ rule: IDRule) throws(FieldProblem) -> ID {
        guard let id = json.node.string.flatMap({ ID($0) }) else { throw notAnID }
        return id
    }
    package func write(to buffer: inout ByteBuffer) {
        buffer.append(UInt8(ascii: "\""))
        writeText(to: &buffer)
        buffer.append(UInt8(ascii: "\""))
    }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        guard let id = ID(text) else { throw notAnID }
        return id.parameter
    }
    package func check(_ rule: IDRule) throws(FieldProblem) {}

    private static var notAnID: FieldProblem { FieldProblem("Input should be a valid UUID", type: "uuid_parsing") }
}

extension JSONObject: FieldValue {
    package static var openRule: NoRule { NoRule() }
    package static func facts(_ rule: NoRule) -> FieldFacts {
        FieldFacts(
            sqlType: "jsonb", check: "jsonb_typeof({}) = 'object'", operators: [], schema: ["type": "object"],
            filterSchema: [:])
    }
    package static func read(column: UnsafeRawBufferPointer?) -> JSONObject? {
        guard let column else { return nil }
        if column.count == 2 { return .empty }
        return JSONObject(checked: String(decoding: column, as: UTF8.self))
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(text) }
    package static func read(json: JSONInput, _ rule: NoRule) throws(FieldProblem) -> JSONObject {
        guard json.node.kind == .object else {
            throw FieldProblem("Input should be a valid object", type: "dict_type")
        }
        guard json.node.range.count <= maxBytes else {
            throw FieldProblem("Input should be at most \(maxBytes) bytes of JSON", type: "too_long")
        }
        return JSONObject(checked: json.node.text)
    }
    package func write(to buffer: inout ByteBuffer) { buffer.append(text) }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        throw FieldProblem("Objects cannot be compared", type: "not_filterable")
    }
    package func check(_ rule: NoRule) throws(FieldProblem) {}
}

/// A value out of a few, each with a name: an enumeration of strings.
package protocol Choice: FieldValue, CaseIterable, RawRepresentable<String> where Rule == NoRule {}

extension FieldFacts {
    /// Of a text that is one of these words.
    package static func choice(_ names: [String]) -> FieldFacts {
        let schema: JSONTree = ["type": "string", "enum": .array(names.map { .string($0) })]
        return FieldFacts(
            sqlType: "text", check: "{} IN (\(names.map { "'\($0)'" }.joined(separator: ", ")))",
            operators: FilterOperator.equality, schema: schema, filterSchema: schema)
    }

    /// The same, and it may be left empty.
    package var orNothing: FieldFacts {
        var facts = self
        facts.isOptional = true
        return facts
    }
}

extension Choice {
    package static var openRule: NoRule { NoRule() }
    package static func facts(_ rule: NoRule) -> FieldFacts { .choice(allCases.map(\.rawValue)) }
    package static func read(column: UnsafeRawBufferPointer?) -> Self? {
        column.flatMap { Self(rawValue: String(decoding: $0, as: UTF8.self)) }
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(rawValue) }
    package static func read(json: JSONInput, _ rule: NoRule) throws(FieldProblem) -> Self {
        guard let value = json.node.string.flatMap(Self.init(rawValue:)) else { throw unknown }
        return value
    }
    package func write(to buffer: inout ByteBuffer) { buffer.appendJSONString(rawValue) }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        guard let value = Self(rawValue: text) else { throw unknown }
        return value.parameter
    }
    package func check(_ rule: NoRule) throws(FieldProblem) {}

    private static var unknown: FieldProblem {
        FieldProblem("Input should be one of: \(allCases.map(\.rawValue).joined(separator: ", "))", type: "enum")
    }
}

/// A field that may be empty: NULL, `null`.
extension Optional: FieldValue where Wrapped: FieldValue {
    package static var openRule: Wrapped.Rule { Wrapped.openRule }
    package static func facts(_ rule: Wrapped.Rule) -> FieldFacts {
        Wrapped.facts(rule).orNothing
    }
    package static func read(column: UnsafeRawBufferPointer?) -> Wrapped?? {
        guard let column else { return .some(nil) }
        guard let value = Wrapped.read(column: column) else { return nil }
        return .some(value)
    }
    package var parameter: PostgreSQLParameter { self?.parameter ?? PostgreSQLParameter(nil) }
    package static func read(json: JSONInput, _ rule: Wrapped.Rule) throws(FieldProblem) -> Wrapped? {
        if json.node.kind == .null { return nil }
        return try Wrapped.read(json: json, rule)
    }
    package func write(to buffer: inout ByteBuffer) {
        if let value = self { value.write(to: &buffer) } else { buffer.append("null" as StaticString) }
    }
    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        try Wrapped.read(filter: text)
    }
    package func check(_ rule: Wrapped.Rule) throws(FieldProblem) { try self?.check(rule) }
}
