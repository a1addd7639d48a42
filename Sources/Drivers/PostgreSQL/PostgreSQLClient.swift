package import EventLoop
package import Telemetry

/// PostgreSQL through libpq, non-blocking on the event loop: a pool a loop, prepared statements, one span, one
/// metric and one summary name for every statement.
package final class PostgreSQLClient: Sendable {
    /// - Parameter url: `postgresql://user:password@host:port/database`; the password is never printed.
    package struct Configuration: Sendable {
        package var url: String
        package var poolSizePerLoop = 8
        package var statementTimeoutMilliseconds = 5_000
        package var lockTimeoutMilliseconds = 2_000
        package var idleInTransactionTimeoutMilliseconds = 10_000
        package var connectTimeoutMilliseconds = 1_000
        /// How long a caller may wait for a connection of the pool.
        package var acquireTimeoutMilliseconds = 5_000
        package init(url: String) { self.url = url }
    }

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) { fatalError("skeleton") }

    /// Opens a first connection.
    /// - Throws: `PostgreSQLError.connection` that says host, port, database and what to do.
    package func start() async throws { fatalError("skeleton") }
    package func stop() async { fatalError("skeleton") }

    /// Runs one statement on a pooled connection.
    /// - Parameters:
    ///   - summary: `SELECT orders`: names span and metric; low cardinality.
    ///   - sql: interpolated values are bound as parameters, never spliced.
    @discardableResult
    package func query(_ summary: String, _ sql: SQL) async throws -> PostgreSQLResult { fatalError("skeleton") }

    /// Runs `body` in a transaction: commit when it returns, rollback when it throws. Serialization failures and
    /// deadlocks are retried from the start, at most 3 times.
    package func transaction<T: Sendable>(
        _ body: @escaping @Sendable (PostgreSQLTransaction) async throws -> T
    ) async throws -> T { fatalError("skeleton") }

    /// Calls `handler` on each NOTIFY of the channel, on a connection of its own that reconnects, until cancelled.
    /// After a reconnect the handler is called once with an empty payload, because notifications may have been lost.
    package func listen(_ channel: String, _ handler: @escaping @Sendable (String) -> Void) -> PostgreSQLListener {
        fatalError("skeleton")
    }

    /// Runs one simple-protocol script (several statements, no parameters): for migrations.
    package func script(_ summary: String, _ text: String) async throws { fatalError("skeleton") }
}

/// An open transaction. Valid inside the closure of `transaction` only.
package final class PostgreSQLTransaction: Sendable {
    init() {}
    @discardableResult
    package func query(_ summary: String, _ sql: SQL) async throws -> PostgreSQLResult { fatalError("skeleton") }
    /// Several statements without parameters (a migration), inside the transaction.
    package func script(_ summary: String, _ text: String) async throws { fatalError("skeleton") }
}

package final class PostgreSQLListener: Sendable {
    package func cancel() { fatalError("skeleton") }
}
