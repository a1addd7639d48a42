internal import ServiceKit
package import PostgreSQL
package import Telemetry

/// A type that a field of a model can have: how it stands in a column, in JSON, in a filter, and what JSON Schema says
/// of it.
package protocol FieldValue: Hashable, Sendable {
    /// What may be asked of a value beyond its type.
    associatedtype Rule: Sendable
    /// Asks nothing.
    static var openRule: Rule { get }
    /// What columns, filters and documents must know.
    static func facts(_ rule: Rule) -> FieldFacts

    /// Reads a column's text; nil when it is not of this type.
    /// - Parameter column: nil for NULL.
    static func read(column: UnsafeRawBufferPointer?) -> Self?
    /// Writes the text of a column as the JSON of its value, without making the value. Asked once for each field.
    static var columnWriter: ColumnWriter { get }
    var parameter: PostgreSQLParameter { get }

    /// Reads what a client sent.
    /// - Throws: `FieldProblem` when it is of another type or against the rule.
    static func read(json: JSONInput, _ rule: Rule) throws(FieldProblem) -> Self
    func write(to buffer: inout ByteBuffer)

    /// Reads the value of a filter, for comparing only: the rule need not hold.
    static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter

    /// Whether the value of a row in memory obeys the rule; what code sets is checked like what clients send.
    func check(_ rule: Rule) throws(FieldProblem)
}

/// Appends the JSON of a column's text, which is nil for NULL; false when the text is not of the field's type.
package typealias ColumnWriter = @Sendable (UnsafeRawBufferPointer?, inout ByteBuffer) -> Bool

extension FieldValue {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let value = read(column: column) else { return false }
            value.write(to: &buffer)
            return true
        }
    }
}

/// A value in a client's JSON.
package struct JSONInput {
    let node: JSONNode
}

/// Why a value is refused, in the words of FastAPI's validation errors.
package struct FieldProblem: Error, Hashable, Sendable {
    /// For people.
    package let message: String
    /// For programs: `string_too_long`.
    package let type: String

    package init(_ message: String, type: String) {
        self.message = message
        self.type = type
    }
}

/// What a type and its rule mean outside Swift.
package struct FieldFacts: Sendable {
    /// The column's type as PostgreSQL's `format_type` writes it.
    var sqlType: String
    /// What the table checks; `{}` stands for the column.
    var check: String?
    var isOptional = false
    var operators: [FilterOperator]
    /// JSON Schema of one value.
    var schema: JSONTree
    /// JSON Schema of a value in a filter.
    var filterSchema: JSONTree
    var reference: (@Sendable () -> ModelReference)?
    /// As text, so that `search` and `like` make sense.
    var isText: Bool { operators.contains(.like) }
}

/// How a filter compares (P6). The name in a query is the field's, two underscores, the operator's; the field's alone
/// for equality.
package enum FilterOperator: String, CaseIterable, Sendable {
    case eq, neq, gt, gte, lt, lte
    case isIn = "in"
    case isNotIn = "not_in"
    case isNull = "isnull"
    case like, ilike

    static let equality: [FilterOperator] = [.eq, .neq, .isIn, .isNotIn, .isNull]
    static let ordered: [FilterOperator] = [.eq, .neq, .gt, .gte, .lt, .lte, .isIn, .isNotIn, .isNull]

    func parameterName(_ field: String) -> String { self == .eq ? field : "\(field)__\(rawValue)" }
}

/// A foreign key to another model of the same service.
package struct ModelReference: Sendable {
    let table: String
    let model: String
    let deletion: Deletion

    /// What becomes of the rows that refer to one that is deleted.
    package enum Deletion: String, Sendable {
        /// It cannot be deleted while they are there: 409.
        case restrict = "RESTRICT"
        /// They are deleted with it.
        case cascade = "CASCADE"
    }
}
