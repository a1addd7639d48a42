internal import PostgreSQL

/// A statement being put together. It cannot be begun without a tenant: the first thing after its head is whose rows it
/// may touch.
struct ScopedStatement {
    private(set) var text: String
    private(set) var parameters: [PostgreSQLParameter] = []
    private let tenant: Tenant

    private init(_ head: String, _ tenant: Tenant) {
        text = head
        self.tenant = tenant
    }

    /// `SELECT … FROM table WHERE` the tenant's.
    static func select(_ columns: String, from table: String, _ tenant: Tenant) -> ScopedStatement {
        var statement = ScopedStatement("SELECT \(columns) FROM \(table)", tenant)
        statement.appendScope()
        return statement
    }

    /// `DELETE FROM table WHERE` the tenant's.
    static func delete(from table: String, _ tenant: Tenant) -> ScopedStatement {
        var statement = ScopedStatement("DELETE FROM \(table)", tenant)
        statement.appendScope()
        return statement
    }

    /// `UPDATE table SET … WHERE` the tenant's.
    static func update(
        _ table: String, _ values: [(column: String, type: String, value: PostgreSQLParameter)], _ tenant: Tenant
    ) -> ScopedStatement {
        var statement = ScopedStatement("UPDATE \(table) SET ", tenant)
        for (index, value) in values.enumerated() {
            statement.append(index == 0 ? "\(value.column) = " : ", \(value.column) = ")
            statement.bind(value.value, as: value.type)
        }
        statement.appendScope()
        return statement
    }

    /// `INSERT INTO table (…, company_id) VALUES (…)`: the row becomes this company's.
    static func insert(
        into table: String, _ values: [(column: String, type: String, value: PostgreSQLParameter)], company: ID?
    ) -> ScopedStatement {
        let columns = values.map(\.column) + ["company_id"]
        var statement = ScopedStatement(
            "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (", .company(company))
        for value in values {
            statement.bind(value.value, as: value.type)
            statement.append(", ")
        }
        statement.bind(company.parameter, as: "uuid")
        statement.append(")")
        return statement
    }

    private mutating func appendScope() {
        switch tenant {
        case .company(nil): text += " WHERE company_id IS NULL"
        case .company(.some(let id)):
            text += " WHERE company_id = "
            bind(id.parameter, as: "uuid")
        case .every: text += " WHERE true"
        }
    }

    /// Appends text that code has chosen.
    mutating func append(_ sql: String) { text += sql }

    /// Appends a place for a value.
    mutating func bind(_ value: PostgreSQLParameter, as type: String) {
        parameters.append(value)
        text += "$\(parameters.count)::\(type)"
    }

    /// The finished statement.
    /// - Parameter isPrepared: false when clients shape the text.
    func sql(isPrepared: Bool = true) -> SQL {
        var sql = SQL(unsafeSQL: text, parameters: parameters)
        sql.isPrepared = isPrepared
        return sql
    }
}
