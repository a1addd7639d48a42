package import PostgreSQL

/// Brings a service's schema to a version: under a lock, each step in a transaction of its own, every applied file
/// checked against what it was.
package struct MigrationRunner: Sendable {
    private let database: PostgreSQLClient
    private let service: String

    /// One lock for all: migrations are rare, and services have databases of their own.
    private static let lockKey = 7_431_908_221

    package init(database: PostgreSQLClient, service: String) {
        self.database = database
        self.service = service
    }

    /// Applies what is missing of ServiceKit's own steps and of the service's.
    /// - Returns: the names of what was applied, in order.
    /// - Throws: `MigrationError`, `PostgreSQLError`.
    package func up(_ migrations: [Migration]) async throws -> [String] {
        try await prepare()
        return try await apply(KitSchema.migrations, series: "servicekit")
            + apply(migrations, series: service)
    }

    /// Undoes the service's steps above a version, the newest first.
    /// - Returns: the names of what was undone.
    package func down(_ migrations: [Migration], to version: Int) async throws -> [String] {
        try await prepare()
        var undone: [String] = []
        for migration in migrations.sorted(by: { $0.version > $1.version }) where migration.version > version {
            guard !migration.down.isEmpty else {
                throw MigrationError(description: "\(label(migration)) has no '-- down' part: it cannot be undone")
            }
            let isUndone = try await inLock { transaction in
                guard try await applied(migration.version, series: service, in: transaction) != nil else {
                    return false
                }
                try await transaction.script("MIGRATE down", migration.down)
                try await transaction.query(
                    "DELETE schema_migrations",
                    "DELETE FROM schema_migrations WHERE series = \(service) AND version = \(migration.version)")
                return true
            }
            if isUndone { undone.append(label(migration)) }
        }
        return undone
    }

    private func prepare() async throws {
        try await inLock { transaction in
            try await transaction.script(
                "CREATE schema_migrations",
                """
                CREATE TABLE IF NOT EXISTS schema_migrations (
                    series text NOT NULL,
                    version bigint NOT NULL,
                    name text NOT NULL,
                    checksum text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (series, version)
                )
                """)
        }
    }

    private func apply(_ migrations: [Migration], series: String) async throws -> [String] {
        var done: [String] = []
        for migration in migrations.sorted(by: { $0.version < $1.version }) {
            let isNew = try await inLock { transaction in
                if let checksum = try await applied(migration.version, series: series, in: transaction) {
                    guard checksum == migration.checksum else {
                        throw MigrationError(
                            description: "\(label(migration)) was changed after it had been applied: put the file "
                                + "back as it was, and make the change in a new migration")
                    }
                    return false
                }
                guard !migration.up.isEmpty else {
                    throw MigrationError(description: "\(label(migration)) has no '-- up' part")
                }
                do {
                    try await transaction.script("MIGRATE up", migration.up)
                } catch PostgreSQLError.server(let code, let message, _) {
                    throw MigrationError(
                        description: "\(label(migration)) failed: \(message) (SQLSTATE \(code)); nothing of it was "
                            + "applied")
                }
                try await transaction.query(
                    "INSERT schema_migrations",
                    """
                    INSERT INTO schema_migrations (series, version, name, checksum)
                    VALUES (\(series), \(migration.version), \(migration.name), \(migration.checksum))
                    """)
                return true
            }
            if isNew { done.append(label(migration)) }
        }
        return done
    }

    private func label(_ migration: Migration) -> String { "\(migration.version)_\(migration.name)" }

    private func applied(
        _ version: Int, series: String, in transaction: PostgreSQLTransaction
    ) async throws -> String? {
        try await transaction.query(
            "SELECT schema_migrations",
            "SELECT checksum FROM schema_migrations WHERE series = \(series) AND version = \(version)"
        ).first?.get("checksum")
    }

    private func inLock<T: Sendable>(
        _ body: @escaping @Sendable (PostgreSQLTransaction) async throws -> T
    ) async throws -> T {
        try await database.transaction { transaction in
            // Others may wait longer here than a statement may usually take.
            try await transaction.query("SET", "SET LOCAL lock_timeout = '60s'")
            try await transaction.query("SET", "SET LOCAL statement_timeout = '60s'")
            try await transaction.query(
                "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(\(Self.lockKey)::bigint)")
            return try await body(transaction)
        }
    }
}
