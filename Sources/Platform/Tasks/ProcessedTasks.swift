package import PostgreSQL

/// The marks of tasks that have had their effect (`processed_tasks`), written in the transaction of the effect.
package enum ProcessedTasks {
    /// What every service database has for it.
    package static let schema = """
        CREATE TABLE processed_tasks (
            task text NOT NULL,
            key text NOT NULL,
            output text,
            processed_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (task, key)
        );
        CREATE INDEX processed_tasks_processed ON processed_tasks (processed_at);
        """

    private static let deletedAtOnce = 1_000

    /// Marks a task, in the transaction of its effect. While another run of it is under way, waits for that.
    /// - Returns: nil when it is new; else what its first run returned, as far as that was kept.
    static func take(_ entry: TaskEntry, in transaction: PostgreSQLTransaction) async throws -> String? {
        let taken = try await transaction.query(
            "INSERT processed_tasks",
            """
            INSERT INTO processed_tasks (task, key) VALUES (\(entry.task), \(entry.key))
            ON CONFLICT (task, key) DO NOTHING
            """)
        if taken.count > 0 { return nil }
        let row = try await transaction.query(
            "SELECT processed_tasks",
            "SELECT output FROM processed_tasks WHERE task = \(entry.task) AND key = \(entry.key)"
        ).first
        return try row?.optional("output", as: String.self) ?? "{}"
    }

    static func keep(_ output: String, of entry: TaskEntry, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE processed_tasks",
            "UPDATE processed_tasks SET output = \(output) WHERE task = \(entry.task) AND key = \(entry.key)")
    }

    /// Forgets the marks of tasks that nobody will deliver again, a batch at a time.
    package static func forgetOld(_ database: PostgreSQLClient) async throws {
        while true {
            let deleted = try await database.query(
                "DELETE processed_tasks",
                """
                DELETE FROM processed_tasks WHERE (task, key) IN (
                    SELECT task, key FROM processed_tasks WHERE processed_at < now() - interval '30 days'
                    LIMIT \(Self.deletedAtOnce))
                """)
            if deleted.count < Self.deletedAtOnce { return }
        }
    }
}
