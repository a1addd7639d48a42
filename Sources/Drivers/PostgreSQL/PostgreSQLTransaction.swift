internal import EventLoop
internal import Synchronization
internal import Telemetry

/// An open transaction. Valid inside the closure of `transaction` only, on the loop that runs it.
package final class PostgreSQLTransaction: Sendable {
    private let connection: PostgreSQLConnection
    private let telemetry: PostgreSQLTelemetry
    private let timeoutMilliseconds: Int
    private let whenCommitted = Mutex<[@Sendable () -> Void]>([])

    init(connection: PostgreSQLConnection, telemetry: PostgreSQLTelemetry, timeoutMilliseconds: Int) {
        self.connection = connection
        self.telemetry = telemetry
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// Runs one statement inside the transaction.
    /// - Throws: `PostgreSQLError`; the transaction can then only end.
    @discardableResult
    package func query(_ summary: String, _ sql: SQL) async throws -> PostgreSQLResult {
        guard connection.loop.isCurrent else {
            return try await connection.loop.run { try await self.query(summary, sql) }
        }
        return try await telemetry.observe(summary, text: sql.text, loop: connection.loop) {
            try await connection.run(sql, timeoutMilliseconds: timeoutMilliseconds)
        }
    }

    /// Several statements without parameters (a migration), inside the transaction.
    package func script(_ summary: String, _ text: String) async throws {
        try await connection.script(text, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Runs `action` once the transaction has committed, and never when it has not: for what is told of it (metrics,
    /// log lines), so that a rollback or a retry is not counted.
    package func afterCommit(_ action: @escaping @Sendable () -> Void) {
        whenCommitted.withLock { $0.append(action) }
    }

    func run<T: Sendable>(_ body: @Sendable (PostgreSQLTransaction) async throws -> T) async throws -> T {
        try await query("BEGIN", "BEGIN")
        let result: T
        do {
            result = try await body(self)
        } catch {
            await rollBack()
            throw error
        }
        do {
            try await query("COMMIT", "COMMIT")
        } catch {
            await rollBack()
            throw error
        }
        for action in whenCommitted.withLock({ $0 }) { action() }
        return result
    }

    /// Leaves the connection clean even when the task was cancelled; one that cannot be rolled back is closed.
    private func rollBack() async {
        guard connection.isUsable else { return }
        let connection = connection
        let timeout = timeoutMilliseconds
        let isClean = await Task(executorPreference: connection.loop) {
            (try? await connection.script("ROLLBACK", timeoutMilliseconds: timeout, heedsDeadline: false)) != nil
        }.value
        if !isClean { connection.close() }
    }
}
