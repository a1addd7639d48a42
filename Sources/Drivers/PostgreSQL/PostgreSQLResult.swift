/// Rows of a statement, or the number of rows that it changed.
package struct PostgreSQLResult: Sendable {
    package var rows: [PostgreSQLRow] { fatalError("skeleton") }
    /// Rows returned, inserted, updated or deleted.
    package var count: Int { fatalError("skeleton") }
    package var first: PostgreSQLRow? { rows.first }
}

/// One row; columns by name.
package struct PostgreSQLRow: Sendable {
    /// - Throws: `PostgreSQLError.decoding` when there is no such column, it is NULL, or it is not a `T`.
    package func get<T: PostgreSQLDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        fatalError("skeleton")
    }
    /// The same, nil for NULL.
    package func optional<T: PostgreSQLDecodable>(_ column: String, as type: T.Type = T.self) throws -> T? {
        fatalError("skeleton")
    }
}

/// What went wrong with the database. Descriptions never contain parameter values.
package enum PostgreSQLError: Error, Sendable {
    /// The server cannot be reached, or the connection broke; the statement may or may not have run.
    case connection(String)
    /// The server refused the statement. `code` is the SQLSTATE, `constraint` the violated constraint if any.
    case server(code: String, message: String, constraint: String?)
    case poolTimeout
    case decoding(String)
    case shutDown

    /// SQLSTATE 23505.
    package var isUniqueViolation: Bool { if case .server("23505", _, _) = self { true } else { false } }
}
