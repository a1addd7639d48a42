internal import HTTPCodec
internal import PostgreSQL
internal import ServiceKit
internal import Telemetry
internal import Values

/// Reads and writes the rows of a model in the service's own database. Each statement names the tenant, each change is
/// one transaction with its hooks.
struct LocalManager<M: Model>: Sendable {
    let database: PostgreSQLClient
    let hooks: Hooks<M>

    private var schema: Schema<M> { M.schema }
    private var table: String { M.schema.table }

    // MARK: Reading

    /// How a row that is read is held until the transaction ends.
    enum Lock: String {
        case none = ""
        /// Against other changes; rows that refer to it may come and go, since its id stays.
        case forUpdate = " FOR NO KEY UPDATE"
        case forDeletion = " FOR UPDATE"
    }

    func find(
        _ id: ID, _ caller: Caller, in transaction: PostgreSQLTransaction?, lock: Lock = .none
    ) async throws -> M? {
        try await row(id, caller, in: transaction, lock: lock).map(schema.model)
    }

    private func row(
        _ id: ID, _ caller: Caller, in transaction: PostgreSQLTransaction?, lock: Lock = .none
    ) async throws -> PostgreSQLRow? {
        var statement = ScopedStatement.select(schema.columnList, from: table, caller.tenant)
        statement.append(" AND id = ")
        statement.bind(id.parameter, as: "uuid")
        statement.append(lock.rawValue)
        return try await run("SELECT \(table)", statement.sql(), in: transaction).first
    }

    /// A row as clients see it, and its version.
    func findJSON(_ id: ID, _ caller: Caller) async throws -> (json: [UInt8], updatedAt: Timestamp)? {
        guard let row = try await row(id, caller, in: nil) else { return nil }
        guard let writer = schema.rowWriter else {
            let model = try schema.model(row)
            return (schema.json(model), model.base.updatedAt)
        }
        var buffer = ByteBuffer(capacity: 1024)
        try writer.write(row, to: &buffer)
        return (buffer.array(), try RowWriter.updatedAt(row))
    }

    func list(_ query: ListQuery, _ caller: Caller, in transaction: PostgreSQLTransaction?) async throws -> Page<M> {
        let result = try await rows(query, caller, in: transaction)
        let items = try (0..<min(result.rowCount, query.limit)).map { try schema.model(result.row($0)) }
        return Page(
            items: items, nextCursor: result.rowCount > query.limit ? items.last?.base.lsn : nil, limit: query.limit)
    }

    /// A page as clients see it.
    func listJSON(_ query: ListQuery, _ caller: Caller) async throws -> [UInt8] {
        let result = try await rows(query, caller, in: nil)
        let count = min(result.rowCount, query.limit)
        var buffer = ByteBuffer(capacity: 64 + count * 512)
        buffer.append("{\"items\":[" as StaticString)
        let schema = schema
        for index in 0..<count {
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            if let writer = schema.rowWriter {
                try writer.write(result.row(index), to: &buffer)
            } else {
                schema.write(try schema.model(result.row(index)), to: &buffer)
            }
        }
        buffer.append("],\"next_cursor\":" as StaticString)
        if result.rowCount > query.limit {
            buffer.appendDecimal(try RowWriter.lsn(result.row(count - 1)))
        } else {
            buffer.append("null" as StaticString)
        }
        buffer.append(",\"limit\":" as StaticString)
        buffer.appendDecimal(query.limit)
        buffer.append(",\"count\":" as StaticString)
        buffer.appendDecimal(count)
        buffer.append(UInt8(ascii: "}"))
        return buffer.array()
    }

    /// The rows of a page, and one more when there is another page.
    private func rows(
        _ query: ListQuery, _ caller: Caller, in transaction: PostgreSQLTransaction?
    ) async throws -> PostgreSQLResult {
        let list = ListStatement(schema: schema, query: query, tenant: caller.tenant)
        var last: [PostgreSQLParameter] = []
        if let sql = list.cursorRow() {
            guard let row = try await run("SELECT \(table)", sql, in: transaction).first else {
                throw HTTPError.invalid(
                    ["query", "cursor"], "There is no such row any more: start from the first page", type: "cursor")
            }
            last = query.order.indices.map { index in
                PostgreSQLParameter(row.withColumn(index) { $0.map { String(decoding: $0, as: UTF8.self) } })
            }
        }
        return try await run("SELECT \(table)", try list.sql(after: last), in: transaction)
    }

    // MARK: Writing

    func create(_ model: M, _ caller: Caller, in transaction: PostgreSQLTransaction) async throws -> M {
        guard case .company(let company) = caller.tenant else {
            throw HTTPError.invalid(["query", Caller.parameter], "Name the company of the new row", type: "missing")
        }
        let context = HookContext(caller: caller, transaction: transaction)
        var new = model
        if new.base.id == .none { new.base.id = .make() }
        try await hooks.beforeCreate?(&new, context)
        try schema.check(new)
        try await checkReferences(of: new, company: company, in: transaction)
        var statement = ScopedStatement.insert(into: table, values(of: new), company: company)
        statement.append(" RETURNING \(schema.columnList)")
        let stored = try await write("INSERT \(table)", statement.sql(), in: transaction)
        guard let stored else { throw PostgreSQLError.decoding("INSERT returned nothing") }
        try await hooks.afterCreate?(stored, context)
        return stored
    }

    /// - Parameter precondition: of the row as it is, locked; throws to refuse.
    func update(
        _ id: ID, _ caller: Caller, in transaction: PostgreSQLTransaction, unless precondition: (M) throws -> Void,
        _ change: (inout M) async throws -> Void
    ) async throws -> M {
        let context = HookContext(caller: caller, transaction: transaction)
        guard let old = try await find(id, caller, in: transaction, lock: .forUpdate) else { throw schema.notFound }
        try precondition(old)
        var new = old
        try await change(&new)
        try await hooks.beforeUpdate?(old, &new, context)
        try schema.check(new)
        let company = old.base.companyID
        try await checkReferences(of: new, unlike: old, company: company, in: transaction)
        var statement = ScopedStatement.update(table, changes(from: old, to: new), .company(company))
        statement.append(" AND id = ")
        statement.bind(id.parameter, as: "uuid")
        statement.append(" RETURNING \(schema.columnList)")
        guard let stored = try await write("UPDATE \(table)", statement.sql(isPrepared: false), in: transaction) else {
            throw schema.notFound
        }
        try await hooks.afterUpdate?(old, stored, context)
        return stored
    }

    func delete(
        _ id: ID, _ caller: Caller, in transaction: PostgreSQLTransaction, unless precondition: (M) throws -> Void
    ) async throws {
        let context = HookContext(caller: caller, transaction: transaction)
        guard let old = try await find(id, caller, in: transaction, lock: .forDeletion) else { throw schema.notFound }
        try precondition(old)
        try await hooks.beforeDelete?(old, context)
        var statement = ScopedStatement.delete(from: table, .company(old.base.companyID))
        statement.append(" AND id = ")
        statement.bind(id.parameter, as: "uuid")
        do {
            try await transaction.query("DELETE \(table)", statement.sql())
        } catch let error as PostgreSQLError {
            throw schema.refusal(error, isDeletion: true)
        }
        try await hooks.afterDelete?(old, context)
    }

    // MARK: Statements

    private func run(_ summary: String, _ sql: SQL, in transaction: PostgreSQLTransaction?) async throws
        -> PostgreSQLResult
    {
        if let transaction { return try await transaction.query(summary, sql) }
        return try await database.query(summary, sql)
    }

    private func write(_ summary: String, _ sql: SQL, in transaction: PostgreSQLTransaction) async throws -> M? {
        do {
            return try await transaction.query(summary, sql).first.map(schema.model)
        } catch let error as PostgreSQLError {
            throw schema.refusal(error, isDeletion: false)
        }
    }

    private typealias ColumnValue = (column: String, type: String, value: PostgreSQLParameter)

    private func values(of model: M) -> [ColumnValue] {
        var values: [ColumnValue] = [
            ("id", "uuid", model.base.id.parameter), ("vars", "jsonb", model.base.vars.parameter),
        ]
        withUnsafePointer(to: model) { model in
            for field in schema.fields { values.append((field.name, field.facts.sqlType, field.parameter(model))) }
        }
        return values
    }

    /// Only what differs. An UPDATE that names a unique column locks out everybody who refers to the row, even when the
    /// value stays (PostgreSQL decides by the names, where a table has triggers); two who insert lines of one order and
    /// then change it would wait for each other for ever.
    private func changes(from old: M, to new: M) -> [ColumnValue] {
        var values: [ColumnValue] = [("vars", "jsonb", new.base.vars.parameter)]
        withUnsafePointer(to: old) { old in
            withUnsafePointer(to: new) { new in
                for field in schema.fields where !field.isSame(old, new) {
                    values.append((field.name, field.facts.sqlType, field.parameter(new)))
                }
            }
        }
        return values
    }

    /// A row may refer to rows of its own company only; another's and one that is not there look alike.
    private func checkReferences(
        of new: M, unlike old: M? = nil, company: ID?, in transaction: PostgreSQLTransaction
    ) async throws {
        for field in schema.fields {
            guard let reference = field.facts.reference?() else { continue }
            let value = withUnsafePointer(to: new) { field.parameter($0) }
            let before = old.map { old in withUnsafePointer(to: old) { field.parameter($0) } }
            guard value.text != nil, value != before else { continue }
            var statement = ScopedStatement.select("1", from: reference.table, .company(company))
            statement.append(" AND id = ")
            statement.bind(value, as: "uuid")
            statement.append(" FOR KEY SHARE")
            let found = try await transaction.query("SELECT \(reference.table)", statement.sql())
            guard found.first != nil else {
                throw HTTPError.invalid(
                    ["body", field.name], "There is no \(reference.model) with this id", type: "reference")
            }
        }
    }
}

/// A part of a list.
package struct Page<M: Model>: Sendable {
    package let items: [M]
    /// Where the next page goes on; nil after the last one.
    package let nextCursor: Int?
    package let limit: Int
}

extension Schema {
    var notFound: HTTPError { HTTPError(.notFound, "not_found", "There is no \(name) with this id") }

    /// What a client is told when the database refuses a row. Uniqueness is within a company, so it tells nothing of
    /// another's rows.
    func refusal(_ error: PostgreSQLError, isDeletion: Bool) -> any Error {
        guard case .server(let code, _, let constraint) = error else { return error }
        let field = fields.first { field in
            ["key", "fkey", "check"].contains { constraint == "\(table)_\(field.name)_\($0)" }
        }
        let location = ["body"] + (field.map { [$0.name] } ?? [])
        switch code {
        case "23505":
            return HTTPError(
                .conflict, "conflict", "Another \(name) has this \(field?.name ?? "value") already",
                fields: [.init(location, "is taken already", type: "unique")])
        case "23503" where isDeletion, "23001":
            return HTTPError(.conflict, "in_use", "The \(name) cannot be deleted: other rows refer to it")
        case "23503": return HTTPError.invalid(location, "There is nothing with this id", type: "reference")
        case "23514", "22003", "22001": return HTTPError.invalid(location, "Input is out of range", type: "check")
        default: return error
        }
    }
}
