internal import CLibPQ

/// Rows of a statement, or the number of rows that it changed.
package struct PostgreSQLResult: Sendable {
    fileprivate let handle: ResultHandle

    init(_ handle: ResultHandle) { self.handle = handle }

    package var rows: [PostgreSQLRow] {
        (0..<handle.rowCount).map { PostgreSQLRow(handle: handle, index: Int32($0)) }
    }

    /// How many rows were returned.
    package var rowCount: Int { handle.rowCount }

    /// - Parameter index: from 0; traps past `rowCount`.
    package func row(_ index: Int) -> PostgreSQLRow {
        precondition(index >= 0 && index < handle.rowCount, "the result has no row \(index)")
        return PostgreSQLRow(handle: handle, index: Int32(index))
    }

    /// Rows returned, inserted, updated or deleted.
    package var count: Int { handle.rowCount > 0 ? handle.rowCount : handle.affected }

    package var first: PostgreSQLRow? { handle.rowCount > 0 ? PostgreSQLRow(handle: handle, index: 0) : nil }
}

/// Owns a `PGresult` and the places of its columns.
///
/// Safety (`@unchecked Sendable`): libpq never changes a result once it is made; it is freed once, here.
final class ResultHandle: @unchecked Sendable {
    private let pointer: OpaquePointer
    let rowCount: Int
    private let columnCount: Int32
    let affected: Int
    private let columns: [String: Int32]

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        rowCount = Int(PQntuples(pointer))
        columnCount = PQnfields(pointer)
        affected = Int(String(cString: PQcmdTuples(pointer))) ?? 0
        var columns: [String: Int32] = [:]
        for index in 0..<PQnfields(pointer) { columns[String(cString: PQfname(pointer, index))] = index }
        self.columns = columns
    }

    deinit { PQclear(pointer) }

    /// - Throws: `PostgreSQLError.decoding` when there is no such column.
    func text(_ row: Int32, _ column: String) throws -> String? {
        guard let index = columns[column] else { throw PostgreSQLError.decoding("there is no column '\(column)'") }
        guard PQgetisnull(pointer, row, index) == 0, let value = PQgetvalue(pointer, row, index) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(pointer, row, index)))
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ResultHandle {
    func field(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer? {
        precondition(column >= 0 && column < columnCount, "the statement has no column \(column)")
        guard PQgetisnull(pointer, row, column) == 0, let value = PQgetvalue(pointer, row, column) else { return nil }
        return UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(pointer, row, column)))
    }

    /// The bytes of a field; nil for NULL.
    func withField<R>(_ row: Int32, _ column: Int32, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
        body(field(row, column))
    }
}

/// One row; columns by name, or by their place.
package struct PostgreSQLRow: Sendable {
    let handle: ResultHandle
    let index: Int32

    /// - Throws: `PostgreSQLError.decoding` when there is no such column, it is NULL, or it is not a `T`.
    package func get<T: PostgreSQLDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        guard let value = try optional(column, as: type) else {
            throw PostgreSQLError.decoding("column '\(column)' is NULL")
        }
        return value
    }

    /// The same, nil for NULL.
    package func optional<T: PostgreSQLDecodable>(_ column: String, as type: T.Type = T.self) throws -> T? {
        guard let text = try handle.text(index, column) else { return nil }
        guard let value = T(postgreSQLText: text) else {
            throw PostgreSQLError.decoding("column '\(column)' is not a \(T.self)")
        }
        return value
    }

    /// Gives the bytes of a column in PostgreSQL's text format, nil for NULL; they must not escape. Traps when the
    /// statement has no such column.
    /// - Parameter index: from 0, in the order of the statement.
    package func withColumn<R>(_ column: Int, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
        handle.withField(index, Int32(column), body)
    }

    /// The same bytes, for loops over many columns; valid while the row, or another of its result, is alive.
    /// - Parameter column: from 0, in the order of the statement.
    package func unsafeColumn(_ column: Int32) -> UnsafeRawBufferPointer? { handle.field(index, column) }
}
