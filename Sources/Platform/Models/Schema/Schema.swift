internal import ServiceKit
internal import PostgreSQL
internal import Telemetry
internal import Values

/// What a model is to the outside: its table and its fields.
package struct Schema<M: Model>: Sendable {
    /// The Swift type's name: `PurchaseOrder`.
    package let name: String
    package let table: String
    package let fields: [Field<M>]
    /// What can be filtered and ordered by.
    let columns: [Column]
    /// `id, lsn, …`, in the order in which rows are read.
    let columnList: String
    /// `"name":`, by field.
    private let keys: [[UInt8]]
    /// Writes rows as they come from the database; nil when only a model can.
    let rowWriter: RowWriter?

    /// - Parameter table: plural, lower case, underscores.
    package init(_ table: String, @FieldList<M> _ fields: () -> [Field<M>]) {
        let fields = fields()
        precondition(Set(fields.map(\.name)).count == fields.count, "\(table) has two fields of one name")
        for field in fields where field.traits.contains(.searchable) {
            precondition(field.isSearchable, "\(table).\(field.name) cannot be searched: it is hidden or no text")
        }
        self.table = table
        self.fields = fields
        name = String(describing: M.self)
        columns = Column.base + fields.filter(\.isFilterable).map(Column.init)
        columnList = (Column.baseNames + fields.map(\.name)).joined(separator: ", ")
        keys = fields.map { Array(",\"\($0.name)\":".utf8) }
        rowWriter = RowWriter(fields)
    }

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    // MARK: Rows

    /// Reads a row of `columnList`, column by column.
    /// - Throws: `PostgreSQLError.decoding` when a column is not of its field's type.
    func model(_ row: PostgreSQLRow) throws -> M {
        var model = M()
        var base = Base()
        func column<V: FieldValue>(_ index: Int, _ type: V.Type = V.self) throws -> V {
            guard let value = row.withColumn(index, { V.read(column: $0) }) else {
                throw PostgreSQLError.decoding("\(table).\(Column.baseNames[index]) is not a \(V.self)")
            }
            return value
        }
        base.id = try column(0)
        base.lsn = try column(1)
        base.createdAt = try column(2)
        base.updatedAt = try column(3)
        base.vars = try column(4)
        base.companyID = try column(5)
        model.base = base
        try withUnsafeMutablePointer(to: &model) { model in
            for (index, field) in fields.enumerated() {
                guard row.withColumn(Column.baseNames.count + index, { field.load(model, $0) }) else {
                    throw PostgreSQLError.decoding("\(table).\(field.name) is not what its field says")
                }
            }
        }
        return model
    }

    // MARK: JSON

    /// Appends the JSON that clients see.
    func write(_ model: M, to buffer: inout ByteBuffer) {
        let base = model.base
        buffer.append("{\"id\":" as StaticString)
        base.id.write(to: &buffer)
        buffer.append(",\"lsn\":" as StaticString)
        buffer.appendDecimal(base.lsn)
        withUnsafePointer(to: model) { model in
            for (index, field) in fields.enumerated() where field.isVisible {
                buffer.append(keys[index])
                field.write(model, &buffer)
            }
        }
        buffer.append(",\"vars\":" as StaticString)
        base.vars.write(to: &buffer)
        buffer.append(",\"company_id\":" as StaticString)
        base.companyID.write(to: &buffer)
        buffer.append(",\"created_at\":" as StaticString)
        base.createdAt.write(to: &buffer)
        buffer.append(",\"updated_at\":" as StaticString)
        base.updatedAt.write(to: &buffer)
        buffer.append(UInt8(ascii: "}"))
    }

    /// The JSON that clients see.
    package func json(_ model: M) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 512)
        write(model, to: &buffer)
        return buffer.array()
    }

    /// The entity tag of a row: its version (RFC 9110, section 8.8.3).
    func entityTag(_ model: M) -> String { Self.entityTag(model.base.updatedAt) }

    static func entityTag(_ updatedAt: Timestamp) -> String {
        "\"" + String(updatedAt.microseconds, radix: 36) + "\""
    }
}

/// A column that clients may filter and order by.
struct Column: Sendable {
    let name: String
    let sqlType: String
    let isOptional: Bool
    let isSearchable: Bool
    let operators: [FilterOperator]
    let filterSchema: JSONTree
    /// Reads the value of a filter.
    let parse: @Sendable (String) throws(FieldProblem) -> PostgreSQLParameter

    static let baseNames = ["id", "lsn", "created_at", "updated_at", "vars", "company_id"]

    static let base = [
        Column("id", ID.self), Column("lsn", Int.self), Column("created_at", Timestamp.self),
        Column("updated_at", Timestamp.self),
    ]

    private init<V: FieldValue>(_ name: String, _ type: V.Type) {
        let facts = V.facts(V.openRule)
        self.name = name
        sqlType = facts.sqlType
        isOptional = false
        isSearchable = false
        operators = facts.operators
        filterSchema = facts.filterSchema
        parse = { text throws(FieldProblem) in try V.read(filter: text) }
    }

    init<M>(_ field: Field<M>) {
        name = field.name
        sqlType = field.facts.sqlType
        isOptional = field.facts.isOptional
        isSearchable = field.isSearchable
        operators = field.facts.operators
        filterSchema = field.facts.filterSchema
        parse = field.filter
    }
}
