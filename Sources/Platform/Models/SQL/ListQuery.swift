internal import HTTPCodec
internal import ServiceKit
internal import PostgreSQL

/// What a list of rows is asked for (P6): filters, search, order, and where to go on.
package struct ListQuery: Sendable {
    /// A comparison with a column.
    struct Filter: Sendable {
        let column: String
        let comparison: FilterOperator
        /// As text, read by the column when the statement is made.
        let text: String
    }

    struct Order: Sendable, Hashable {
        let column: String
        let isDescending: Bool
    }

    /// The `lsn` of the last row of the page before; nil for the first page.
    package var cursor: Int?
    package var limit = ListQuery.defaultLimit {
        didSet { limit = min(max(limit, 1), Self.maxLimit) }
    }
    /// Whether pages go from the newest row to the oldest.
    package var isDescending = false
    package var search: String?
    private(set) var filters: [Filter] = []
    private(set) var order: [Order] = []

    package static let defaultLimit = 50
    package static let maxLimit = 200
    static let maxFilterCharacters = 500
    static let maxListed = 100
    static let maxOrder = 4
    static let maxSearchCharacters = 100
    /// Parameters that are no filters.
    static let ownNames = ["cursor", "limit", "direction", "order_by", "search", Caller.parameter]

    package init() {}

    /// Adds a filter: `query.filter("price", .gte, "10.00")`. A name or a value that does not fit is told when the list
    /// is asked for.
    package mutating func filter(_ field: String, _ comparison: FilterOperator = .eq, _ value: String) {
        filters.append(Filter(column: field, comparison: comparison, text: value))
    }

    /// Orders by a field before the `lsn`.
    package mutating func order(by field: String, descending: Bool = false) {
        order.append(Order(column: field, isDescending: descending))
    }

    // MARK: From a query string

    /// - Throws: `HTTPError` 422 naming every parameter that is unknown or wrong.
    init<M>(_ parameters: [String: String], of schema: Schema<M>) throws {
        var problems: [HTTPError.FieldError] = []
        func note(_ name: String, _ problem: FieldProblem) {
            problems.append(.init(["query", String(name.prefix(100))], problem.message, type: problem.type))
        }
        // In the order of names, so that the same question is the same statement.
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            do throws(FieldProblem) {
                try take(name, value, schema)
            } catch { note(name, error) }
        }
        guard let first = problems.first else { return }
        throw HTTPError(
            .unprocessableContent, "validation", "\(first.location[1]): \(first.message)",
            fields: Array(problems.prefix(20)))
    }

    private mutating func take<M>(_ name: String, _ value: String, _ schema: Schema<M>) throws(FieldProblem) {
        switch name {
        case "cursor": cursor = try Self.integer(value, in: 0...IntegerRule.exact.upperBound)
        case "limit": limit = try Self.integer(value, in: 1...Self.maxLimit)
        case "direction":
            guard value == "asc" || value == "desc" else {
                throw FieldProblem("Input should be asc or desc", type: "enum")
            }
            isDescending = value == "desc"
        case "order_by": order = try Self.order(value, schema)
        case "search":
            guard schema.columns.contains(where: \.isSearchable) else { throw Self.unknown }
            let count = value.unicodeScalars.count
            guard (1...Self.maxSearchCharacters).contains(count) else {
                throw FieldProblem("1 to \(Self.maxSearchCharacters) characters", type: "string_length")
            }
            try Self.checkText(value)
            search = value
        case Caller.parameter: break
        default:
            let (column, comparison) = try Self.target(name, schema)
            try Self.checkText(value)
            let filter = Filter(column: column.name, comparison: comparison, text: value)
            _ = try filter.operand(column)
            filters.append(filter)
        }
    }

    private static func checkText(_ value: String) throws(FieldProblem) {
        if value.utf8.contains(0) { throw FieldProblem("Input should not hold U+0000", type: "string_nul") }
    }

    private static func integer(_ text: String, in range: ClosedRange<Int>) throws(FieldProblem) -> Int {
        guard let number = ExactNumber(text)?.scaled(by: 0).map({ Int($0) }) else {
            throw FieldProblem("Input should be a valid integer", type: "int_parsing")
        }
        try number.check(IntegerRule(range: range))
        return number
    }

    private static func order<M>(_ text: String, _ schema: Schema<M>) throws(FieldProblem) -> [Order] {
        var result: [Order] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let isDescending = part.hasPrefix("-")
            let name = String(isDescending ? part.dropFirst() : part)
            guard schema.column(name) != nil else {
                throw FieldProblem(
                    "Input should be names of fields, such as -created_at,\(schema.fields.first?.name ?? "id")",
                    type: "enum")
            }
            guard !result.contains(where: { $0.column == name }), result.count < maxOrder else {
                throw FieldProblem("at most \(maxOrder) fields, each once", type: "too_many")
            }
            result.append(Order(column: name, isDescending: isDescending))
        }
        return result
    }

    private static let unknown = FieldProblem("There is no such filter", type: "extra_forbidden")

    /// The column and the comparison that a parameter's name speaks of.
    private static func target<M>(
        _ name: String, _ schema: Schema<M>
    ) throws(FieldProblem) -> (Column, FilterOperator) {
        if let column = schema.column(name) { return (column, .eq) }
        // Names of fields have no double underscore, so the first one ends the field.
        guard let range = Self.separator(in: name) else { throw unknown }
        let comparison = FilterOperator(rawValue: String(name[range.upperBound...]))
        guard let column = schema.column(String(name[..<range.lowerBound])), let comparison, comparison != .eq,
            column.operators.contains(comparison)
        else { throw unknown }
        return (column, comparison)
    }

    private static func separator(in name: String) -> Range<String.Index>? {
        var index = name.startIndex
        while index < name.endIndex {
            let next = name.index(after: index)
            if name[index] == "_", next < name.endIndex, name[next] == "_" {
                return index..<name.index(after: next)
            }
            index = next
        }
        return nil
    }
}

extension ListQuery.Filter {
    /// What the column is compared with.
    enum Operand {
        case value(PostgreSQLParameter)
        case list([String])
        case isNull(Bool)
    }

    /// - Throws: `FieldProblem` when the text is nothing that the column can be compared with.
    func operand(_ column: Column) throws(FieldProblem) -> Operand {
        guard
            text.unicodeScalars.count <= ListQuery.maxFilterCharacters || comparison == .isIn || comparison == .isNotIn
        else { throw FieldProblem("at most \(ListQuery.maxFilterCharacters) characters", type: "string_too_long") }
        switch comparison {
        case .isNull:
            guard text == "true" || text == "false" else {
                throw FieldProblem("Input should be true or false", type: "bool_parsing")
            }
            return .isNull(text == "true")
        case .isIn, .isNotIn:
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count <= ListQuery.maxListed else {
                throw FieldProblem("at most \(ListQuery.maxListed) values", type: "too_long")
            }
            var values: [String] = []
            for part in parts { values.append(try column.parse(String(part)).text ?? "") }
            return .list(values)
        case .like, .ilike:
            let trailing = text.utf8.reversed().prefix { $0 == UInt8(ascii: "\\") }.count
            guard trailing % 2 == 0 else {
                throw FieldProblem("a pattern must not end with a backslash", type: "pattern")
            }
            return .value(PostgreSQLParameter(text))
        case .eq, .neq, .gt, .gte, .lt, .lte: return .value(try column.parse(text))
        }
    }
}
