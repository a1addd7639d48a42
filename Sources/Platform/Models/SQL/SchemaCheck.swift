internal import PostgreSQL
internal import ServiceKit

/// Compares a table with its model's schema when the service starts, so that a migration that was forgotten is told
/// before the first request rather than by it.
struct SchemaCheck<M: Model>: Component {
    let database: PostgreSQLClient

    var name: String { "the table \(M.schema.table)" }
    func stop() async {}

    /// - Throws: `SchemaMismatch` with everything that is missing and the SQL that adds it.
    func start() async throws {
        let schema = M.schema
        let table = schema.definition
        let columns = try await existingColumns()
        guard !columns.isEmpty else {
            throw SchemaMismatch(model: schema.name, problems: ["there is no such table"], advice: [table.create])
        }
        var problems: [String] = []
        var advice: [String] = []
        for wanted in table.columns {
            guard let column = columns[wanted.name] else {
                problems.append("the column \(wanted.name) is missing")
                advice.append("ALTER TABLE \(schema.table) ADD COLUMN \(wanted.definition);")
                continue
            }
            if column.type != wanted.sqlType {
                problems.append("the column \(wanted.name) is \(column.type), not \(wanted.sqlType)")
            }
            if column.isRequired == wanted.isOptional {
                problems.append("the column \(wanted.name) \(column.isRequired ? "must not" : "may") be NULL")
                let verb = column.isRequired ? "DROP" : "SET"
                advice.append("ALTER TABLE \(schema.table) ALTER COLUMN \(wanted.name) \(verb) NOT NULL;")
            }
        }
        let known = Set(Column.baseNames + schema.fields.map(\.name))
        for name in Column.baseNames where columns[name] == nil { problems.append("the column \(name) is missing") }
        for (name, column) in columns where !known.contains(name) && column.isRequired && !column.hasDefault {
            problems.append("the column \(name) is in no field, and cannot be left out")
        }
        let constraints = try await existingConstraints()
        for constraint in table.constraints where constraints[constraint.name] != constraint.definition {
            problems.append("the constraint \(constraint.name) is missing")
            advice.append("ALTER TABLE \(schema.table) ADD CONSTRAINT \(constraint.name) \(constraint.definition);")
        }
        let uniqueIndexes = table.uniqueIndexes.isEmpty ? [:] : try await existingUniqueIndexes()
        for index in table.uniqueIndexes where uniqueIndexes[index.name]?.hasSuffix(" " + index.definition) != true {
            problems.append("the unique index \(index.name) is missing")
            advice.append("CREATE UNIQUE INDEX \(index.name) ON \(schema.table) \(index.definition);")
        }
        let indexes = try await existingIndexes()
        for index in table.indexes where !indexes.contains(index.columns) {
            problems.append("there is no index on (\(index.columns))")
            advice.append("CREATE INDEX \(index.name) ON \(schema.table) (\(index.columns));")
        }
        if try await !isBaseKept() {
            problems.append("its base columns are not kept")
            advice.append(table.trigger)
        }
        guard problems.isEmpty else {
            throw SchemaMismatch(model: schema.name, problems: problems.sorted(), advice: advice)
        }
    }

    private func existingColumns() async throws -> [String: (type: String, isRequired: Bool, hasDefault: Bool)] {
        let rows = try await database.query(
            "SELECT pg_attribute",
            """
            SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull,
                   atthasdef OR attidentity <> '' AS has_default
            FROM pg_attribute WHERE attrelid = to_regclass(\(M.schema.table)) AND attnum > 0 AND NOT attisdropped
            """
        ).rows
        var columns: [String: (type: String, isRequired: Bool, hasDefault: Bool)] = [:]
        for row in rows {
            columns[try row.get("attname")] = (
                try row.get("type"), try row.get("attnotnull"), try row.get("has_default")
            )
        }
        return columns
    }

    private func existingConstraints() async throws -> [String: String] {
        let rows = try await database.query(
            "SELECT pg_constraint",
            """
            SELECT conname, pg_get_constraintdef(oid) AS definition
            FROM pg_constraint WHERE conrelid = to_regclass(\(M.schema.table))
            """
        ).rows
        return Dictionary(
            try rows.map { (try $0.get("conname"), try $0.get("definition")) }, uniquingKeysWith: { first, _ in first })
    }

    /// The SQL of each unique index.
    private func existingUniqueIndexes() async throws -> [String: String] {
        let rows = try await database.query(
            "SELECT pg_index",
            """
            SELECT relname, pg_get_indexdef(indexrelid) AS definition
            FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE indrelid = to_regclass(\(M.schema.table)) AND indisunique
            """
        ).rows
        return Dictionary(
            try rows.map { (try $0.get("relname"), try $0.get("definition")) }, uniquingKeysWith: { first, _ in first })
    }

    /// The columns of each index, with commas.
    private func existingIndexes() async throws -> Set<String> {
        let rows = try await database.query(
            "SELECT pg_index",
            """
            SELECT string_agg(attname::text, ', ' ORDER BY place) AS columns
            FROM pg_index CROSS JOIN LATERAL unnest(indkey::smallint[]) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute ON attrelid = indrelid AND attnum = number
            WHERE indrelid = to_regclass(\(M.schema.table)) GROUP BY indexrelid
            """
        ).rows
        return Set(try rows.map { try $0.get("columns") })
    }

    private func isBaseKept() async throws -> Bool {
        try await database.query(
            "SELECT pg_trigger",
            """
            SELECT 1 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE tgrelid = to_regclass(\(M.schema.table)) AND proname = 'keep_base_columns'
            """
        ).first != nil
    }
}

/// A table is not what its model says.
package struct SchemaMismatch: Error, CustomStringConvertible {
    let model: String
    let problems: [String]
    let advice: [String]

    package var description: String {
        "the table of \(model) does not fit its schema: \(problems.joined(separator: "; ")). Add a migration:\n"
            + advice.joined(separator: "\n")
    }
}
