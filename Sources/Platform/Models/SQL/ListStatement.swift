internal import ServiceKit
internal import PostgreSQL

/// Makes the statement of a list: filters and search, then everything after the cursor's row in the order asked for, so
/// that a page costs the same wherever it lies.
struct ListStatement<M: Model> {
    let schema: Schema<M>
    let query: ListQuery
    let tenant: Tenant

    /// The row that the page before ended with, when its values decide where to go on.
    /// - Returns: nil when the cursor's number alone tells.
    func cursorRow() -> SQL? {
        guard let cursor = query.cursor, !query.order.isEmpty else { return nil }
        let columns = query.order.map(\.column).joined(separator: ", ")
        var statement = ScopedStatement.select(columns, from: schema.table, tenant)
        statement.append(" AND lsn = ")
        statement.bind(cursor.parameter, as: "bigint")
        return statement.sql(isPrepared: false)
    }

    /// One row more than asked for, to know whether there is another page.
    /// - Parameter last: the values of the cursor's row in the columns of the order.
    func sql(after last: [PostgreSQLParameter] = []) throws -> SQL {
        var statement = ScopedStatement.select(schema.columnList, from: schema.table, tenant)
        for filter in query.filters { try append(filter, to: &statement) }
        appendSearch(to: &statement)
        if let cursor = query.cursor { append(cursor, last, to: &statement) }
        statement.append(" ORDER BY ")
        for order in query.order { statement.append("\(order.column) \(order.isDescending ? "DESC" : "ASC"), ") }
        statement.append("lsn \(query.isDescending ? "DESC" : "ASC") LIMIT ")
        statement.bind((query.limit + 1).parameter, as: "bigint")
        let isPlain = query.filters.isEmpty && query.order.isEmpty && query.search == nil
        return statement.sql(isPrepared: isPlain)
    }

    // MARK: Filters

    private func append(_ filter: ListQuery.Filter, to statement: inout ScopedStatement) throws {
        guard let column = schema.column(filter.column), column.operators.contains(filter.comparison) else {
            throw HTTPError.invalid(["query", filter.column], "There is no such filter", type: "extra_forbidden")
        }
        let operand: ListQuery.Filter.Operand
        do throws(FieldProblem) { operand = try filter.operand(column) } catch {
            throw HTTPError.invalid(
                ["query", filter.comparison.parameterName(filter.column)], error.message, type: error.type)
        }
        let name = column.name
        statement.append(" AND ")
        switch operand {
        case .isNull(let isNull): statement.append(isNull ? "\(name) IS NULL" : "\(name) IS NOT NULL")
        case .list(let values):
            // What is not in a list includes what is empty, as what is not equal does.
            let isIn = filter.comparison == .isIn
            statement.append(
                isIn ? "\(name) = ANY(" : column.isOptional ? "(\(name) IS NULL OR \(name) <> ALL(" : "\(name) <> ALL(")
            statement.bind(values.postgreSQLParameter, as: column.sqlType + "[]")
            statement.append(!isIn && column.isOptional ? "))" : ")")
        case .value(let value):
            switch filter.comparison {
            case .neq: statement.append(column.isOptional ? "\(name) IS DISTINCT FROM " : "\(name) <> ")
            case .gt: statement.append("\(name) > ")
            case .gte: statement.append("\(name) >= ")
            case .lt: statement.append("\(name) < ")
            case .lte: statement.append("\(name) <= ")
            case .like: statement.append("\(name) LIKE ")
            case .ilike: statement.append("\(name) ILIKE ")
            default: statement.append("\(name) = ")
            }
            statement.bind(value, as: column.sqlType)
        }
    }

    private func appendSearch(to statement: inout ScopedStatement) {
        guard let search = query.search else { return }
        var pattern = "%"
        for character in search.unicodeScalars {
            if character == "%" || character == "_" || character == "\\" { pattern += "\\" }
            pattern.unicodeScalars.append(character)
        }
        pattern += "%"
        statement.append(" AND (")
        for (index, column) in schema.columns.filter(\.isSearchable).enumerated() {
            statement.append(index == 0 ? "\(column.name) ILIKE " : " OR \(column.name) ILIKE ")
            statement.bind(PostgreSQLParameter(pattern), as: "text")
        }
        statement.append(")")
    }

    // MARK: Going on

    /// Everything behind the cursor's row: behind it in the first column, or level there and behind it in the second,
    /// and so on to the `lsn`, which no two rows share.
    private func append(_ cursor: Int, _ last: [PostgreSQLParameter], to statement: inout ScopedStatement) {
        statement.append(" AND (")
        for depth in 0...query.order.count {
            if depth > 0 { statement.append(" OR ") }
            statement.append("(")
            for level in 0..<depth {
                appendLevel(query.order[level], last[level], to: &statement)
                statement.append(" AND ")
            }
            if depth < query.order.count {
                appendBehind(query.order[depth], last[depth], to: &statement)
            } else {
                statement.append(query.isDescending ? "lsn < " : "lsn > ")
                statement.bind(cursor.parameter, as: "bigint")
            }
            statement.append(")")
        }
        statement.append(")")
    }

    private func appendLevel(
        _ order: ListQuery.Order, _ value: PostgreSQLParameter, to statement: inout ScopedStatement
    ) {
        guard value.text != nil else { return statement.append("\(order.column) IS NULL") }
        statement.append("\(order.column) = ")
        statement.bind(value, as: type(of: order))
    }

    /// NULL is greater than everything, as PostgreSQL orders.
    private func appendBehind(
        _ order: ListQuery.Order, _ value: PostgreSQLParameter, to statement: inout ScopedStatement
    ) {
        guard value.text != nil else {
            return statement.append(order.isDescending ? "\(order.column) IS NOT NULL" : "false")
        }
        let isOptional = schema.column(order.column)?.isOptional ?? false
        statement.append(order.isDescending ? "\(order.column) < " : "(\(order.column) > ")
        statement.bind(value, as: type(of: order))
        if !order.isDescending { statement.append(isOptional ? " OR \(order.column) IS NULL)" : ")") }
    }

    private func type(of order: ListQuery.Order) -> String { schema.column(order.column)?.sqlType ?? "text" }
}
