/// The table that a schema asks for, as SQL for a migration's file and as what `SchemaCheck` compares with.
extension Schema {
    /// `CREATE TABLE …` with its indexes and its trigger.
    package var createTable: String {
        var lines = [
            "    id uuid PRIMARY KEY",
            "    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
            "    created_at timestamptz NOT NULL DEFAULT now()",
            "    updated_at timestamptz NOT NULL DEFAULT now()",
            "    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object')",
            "    company_id uuid",
        ]
        lines += fields.map { "    " + columnDefinition($0) }
        lines += constraints.map { "    CONSTRAINT \($0.name) \($0.definition)" }
        var text = "CREATE TABLE \(table) (\n" + lines.joined(separator: ",\n") + "\n);\n"
        for index in indexes { text += "CREATE INDEX \(index.name) ON \(table) (\(index.columns));\n" }
        return text + trigger + "\n"
    }

    /// `DROP TABLE …`
    package var dropTable: String { "DROP TABLE \(table);\n" }

    func columnDefinition(_ field: Field<M>) -> String {
        let check = field.facts.check.map { check in
            let parts = check.split(separator: "{}", maxSplits: 1, omittingEmptySubsequences: false)
            return " CHECK (" + parts.joined(separator: field.name) + ")"
        }
        return "\(field.name) \(field.facts.sqlType)\(field.facts.isOptional ? "" : " NOT NULL")\(check ?? "")"
    }

    /// As `pg_get_constraintdef` writes them.
    var constraints: [(name: String, definition: String)] {
        fields.flatMap { field -> [(name: String, definition: String)] in
            var constraints: [(name: String, definition: String)] = []
            if field.traits.contains(.unique) {
                constraints.append(
                    ("\(table)_\(field.name)_key", "UNIQUE NULLS NOT DISTINCT (company_id, \(field.name))"))
            }
            if let reference = field.facts.reference?() {
                constraints.append(
                    (
                        "\(table)_\(field.name)_fkey",
                        "FOREIGN KEY (\(field.name)) REFERENCES \(reference.table)(id) ON DELETE "
                            + reference.deletion.rawValue
                    ))
            }
            return constraints
        }
    }

    /// The order of a company's rows, and of its rows with one value; what is referred to by must be found.
    var indexes: [(name: String, columns: String)] {
        [("\(table)_by_lsn", "company_id, lsn")]
            + fields.filter { $0.traits.contains(.indexed) }.map {
                ("\(table)_by_\($0.name)", "company_id, \($0.name), lsn")
            }
            + fields.filter { $0.facts.reference != nil }.map { ("\(table)_\($0.name)", $0.name) }
    }

    var trigger: String {
        "CREATE TRIGGER \(table)_keep_base BEFORE UPDATE ON \(table)\n"
            + "    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();"
    }
}
