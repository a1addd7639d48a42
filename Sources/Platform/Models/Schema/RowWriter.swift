internal import PostgreSQL
internal import Telemetry
internal import Values

/// Writes rows of a schema's `columnList` as the JSON that clients see, straight from the text that the database sent:
/// no model and no values are made. The same bytes as `Schema.write` gives for the model of the row.
struct RowWriter: Sendable {
    private struct Step: Sendable {
        /// What stands before the value: `,"name":`.
        let key: [UInt8]
        let column: Int32
        let write: ColumnWriter
    }

    /// In the order of the members.
    private let steps: [Step]

    /// Nil when a field is computed: what its property says of a column is known to a model only.
    init?<M>(_ fields: [Field<M>]) {
        var steps = [
            Self.base("{\"id\":", "id", ID.columnWriter), Self.base(",\"lsn\":", "lsn", Int.columnWriter),
        ]
        for (index, field) in fields.enumerated() where field.isVisible {
            guard let write = field.writeColumn else { return nil }
            steps.append(
                Step(
                    key: Array(",\"\(field.name)\":".utf8), column: Int32(Column.baseNames.count + index), write: write)
            )
        }
        steps += [
            Self.base(",\"vars\":", "vars", JSONObject.columnWriter),
            Self.base(",\"company_id\":", "company_id", ID?.columnWriter),
            Self.base(",\"created_at\":", "created_at", Timestamp.columnWriter),
            Self.base(",\"updated_at\":", "updated_at", Timestamp.columnWriter),
        ]
        self.steps = steps
    }

    private static func base(_ key: String, _ name: String, _ write: @escaping ColumnWriter) -> Step {
        Step(key: Array(key.utf8), column: column(name), write: write)
    }

    private static func column(_ name: String) -> Int32 { Int32(Column.baseNames.firstIndex(of: name) ?? 0) }

    /// - Throws: `PostgreSQLError.decoding` when a column is not of its field's type.
    func write(_ row: PostgreSQLRow, to buffer: inout ByteBuffer) throws {
        for index in steps.indices {
            buffer.append(steps[index].key)
            // What the column points to lives as long as the row.
            let isWritten = withExtendedLifetime(row) {
                steps[index].write(row.unsafeColumn(steps[index].column), &buffer)
            }
            guard isWritten else {
                throw PostgreSQLError.decoding("column \(steps[index].column) of a row is not what its field says")
            }
        }
        buffer.append(UInt8(ascii: "}"))
    }

    /// The number of a row, by which lists go on.
    /// - Throws: `PostgreSQLError.decoding`.
    static func lsn(_ row: PostgreSQLRow) throws -> Int { try value(row, "lsn") }

    /// The version of a row.
    /// - Throws: `PostgreSQLError.decoding`.
    static func updatedAt(_ row: PostgreSQLRow) throws -> Timestamp { try value(row, "updated_at") }

    private static func value<V: FieldValue>(_ row: PostgreSQLRow, _ name: String) throws -> V {
        guard let value = withExtendedLifetime(row, { V.read(column: row.unsafeColumn(column(name))) }) else {
            throw PostgreSQLError.decoding("\(name) is not a \(V.self)")
        }
        return value
    }
}
