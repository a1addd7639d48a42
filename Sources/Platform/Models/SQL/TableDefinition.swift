/// The table of a model, as SQL for a migration's file and as what `SchemaCheck` compares with.
package struct TableDefinition: Sendable {
    package let table: String
    package let columns: [TableColumn]

    package init(_ table: String, _ columns: [TableColumn]) {
        self.table = table
        self.columns = columns
    }

    /// `CREATE TABLE …` with its indexes and its trigger.
    package var create: String {
        var lines = [
            "    id uuid PRIMARY KEY",
            "    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
            "    created_at timestamptz NOT NULL DEFAULT now()",
            "    updated_at timestamptz NOT NULL DEFAULT now()",
            "    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object')",
            "    company_id uuid",
        ]
        lines += columns.map { "    " + $0.definition }
        lines += constraints.map { "    CONSTRAINT \($0.name) \($0.definition)" }
        var text = "CREATE TABLE \(table) (\n" + lines.joined(separator: ",\n") + "\n);\n"
        for index in uniqueIndexes { text += "CREATE UNIQUE INDEX \(index.name) ON \(table) \(index.definition);\n" }
        for index in indexes { text += "CREATE INDEX \(index.name) ON \(table) (\(index.columns));\n" }
        return text + trigger + "\n"
    }

    /// `DROP TABLE …`
    package var drop: String { "DROP TABLE \(table);\n" }

    /// As `pg_get_constraintdef` writes them.
    var constraints: [(name: String, definition: String)] {
        columns.flatMap { column -> [(name: String, definition: String)] in
            var constraints: [(name: String, definition: String)] = []
            if column.isUnique, !column.isOptional {
                constraints.append(
                    ("\(table)_\(column.name)_key", "UNIQUE NULLS NOT DISTINCT (company_id, \(column.name))"))
            }
            if let reference = column.reference {
                constraints.append(
                    (
                        "\(table)_\(column.name)_fkey",
                        "FOREIGN KEY (\(column.name)) REFERENCES \(reference.table)(id) ON DELETE "
                            + reference.deletion.rawValue
                    ))
            }
            return constraints
        }
    }

    /// What may be missing is unique where it is there: a constraint would let one row of a company be without it. As
    /// `pg_get_indexdef` writes them, after the table.
    var uniqueIndexes: [(name: String, definition: String)] {
        columns.filter { $0.isUnique && $0.isOptional }.map { column in
            (
                "\(table)_\(column.name)_key",
                "USING btree (company_id, \(column.name)) NULLS NOT DISTINCT WHERE (\(column.name) IS NOT NULL)"
            )
        }
    }

    /// The order of a company's rows, and of its rows with one value; what is referred to by must be found.
    var indexes: [(name: String, columns: String)] {
        [("\(table)_by_lsn", "company_id, lsn")]
            + columns.filter(\.isIndexed).map { ("\(table)_by_\($0.name)", "company_id, \($0.name), lsn") }
            + columns.filter { $0.reference != nil }.map { ("\(table)_\($0.name)", $0.name) }
    }

    var trigger: String {
        "CREATE TRIGGER \(table)_keep_base BEFORE UPDATE ON \(table)\n"
            + "    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();"
    }
}

/// One column that a field asks for.
package struct TableColumn: Sendable {
    package let name: String
    /// As PostgreSQL's `format_type` writes it.
    let sqlType: String
    let isOptional: Bool
    /// With the column's name in it.
    let check: String?
    let reference: ModelReference?
    let isUnique: Bool
    let isIndexed: Bool

    package init(_ name: String, _ facts: FieldFacts, _ traits: Set<FieldTrait>) {
        self.name = name
        sqlType = facts.sqlType
        isOptional = facts.isOptional
        check = facts.check.map { check in
            let parts = check.split(separator: "{}", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.joined(separator: name)
        }
        reference = facts.reference?()
        isUnique = traits.contains(.unique)
        isIndexed = traits.contains(.indexed)
    }

    var definition: String {
        "\(name) \(sqlType)\(isOptional ? "" : " NOT NULL")\(check.map { " CHECK (\($0))" } ?? "")"
    }
}

extension Schema {
    package var definition: TableDefinition {
        TableDefinition(table, fields.map { TableColumn($0.name, $0.facts, $0.traits) })
    }

    /// `CREATE TABLE …` with its indexes and its trigger.
    package var createTable: String { definition.create }
    /// `DROP TABLE …`
    package var dropTable: String { definition.drop }
}
