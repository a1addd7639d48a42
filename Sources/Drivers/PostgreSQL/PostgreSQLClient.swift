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

    private let configuration: Configuration
    private let group: EventLoopGroup
    private let pools: [PostgreSQLPool]
    private let telemetry: PostgreSQLTelemetry
    private let applicationName: String

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) {
        self.configuration = configuration
        self.group = group
        applicationName = telemetry.serviceName
        let observed = PostgreSQLTelemetry(
            telemetry, address: ConnectionAddress(url: configuration.url), loops: group.loops.count,
            maxConnections: configuration.poolSizePerLoop * group.loops.count)
        self.telemetry = observed
        pools = group.loops.map {
            PostgreSQLPool(
                loop: $0, configuration: configuration, applicationName: telemetry.serviceName, telemetry: observed)
        }
    }

    /// Opens a first connection.
    /// - Throws: `PostgreSQLError.connection` that says what the server or the network answered.
    package func start() async throws { try await onLoop { try await $0.withConnection { _ in } } }

    /// Closes idle connections; those in use close when they come back.
    package func stop() async {
        for pool in pools { _ = try? await pool.loop.run { pool.drain() } }
    }

    /// Runs one statement on a pooled connection.
    /// - Parameters:
    ///   - summary: `SELECT orders`: names span and metric; low cardinality.
    ///   - sql: interpolated values are bound as parameters, never spliced.
    /// - Throws: `PostgreSQLError`.
    @discardableResult
    package func query(_ summary: String, _ sql: SQL) async throws -> PostgreSQLResult {
        try await onLoop { [telemetry, configuration] pool in
            let connection = try await pool.acquire()
            defer { pool.giveBack(connection) }
            return try await telemetry.observe(summary, text: sql.text, loop: pool.loop) {
                try await connection.run(sql, timeoutMilliseconds: configuration.statementTimeoutMilliseconds)
            }
        }
    }

    /// Runs `body` in a transaction: commit when it returns, rollback when it throws. Serialization failures and
    /// deadlocks are retried from the start, at most 3 times.
    /// - Throws: `PostgreSQLError`, and whatever `body` throws. When the connection breaks at the commit the
    ///   transaction may or may not have happened.
    package func transaction<T: Sendable>(
        _ body: @escaping @Sendable (PostgreSQLTransaction) async throws -> T
    ) async throws -> T {
        try await onLoop { [telemetry, configuration] pool in
            var attempt = 1
            while true {
                let connection = try await pool.acquire()
                let transaction = PostgreSQLTransaction(
                    connection: connection, telemetry: telemetry,
                    timeoutMilliseconds: configuration.statementTimeoutMilliseconds)
                do {
                    let result = try await transaction.run(body)
                    pool.giveBack(connection)
                    return result
                } catch let error as PostgreSQLError where error.isRetryable && attempt < Self.maxAttempts {
                    pool.giveBack(connection)
                    try await Task.sleep(nanoseconds: UInt64.random(in: 1...10) * UInt64(attempt) * 1_000_000)
                    attempt += 1
                } catch {
                    pool.giveBack(connection)
                    throw error
                }
            }
        }
    }

    private static let maxAttempts = 3

    /// Calls `handler` on each NOTIFY of the channel, on a connection of its own that reconnects, until cancelled.
    /// After a reconnect the handler is called once with an empty payload, because notifications may have been lost.
    package func listen(_ channel: String, _ handler: @escaping @Sendable (String) -> Void) -> PostgreSQLListener {
        let listener = PostgreSQLListener(
            configuration: configuration, channel: channel, loop: group.next(), applicationName: applicationName,
            handler: handler)
        listener.start()
        return listener
    }

    /// Runs one simple-protocol script (several statements, no parameters): for migrations.
    package func script(_ summary: String, _ text: String) async throws {
        try await onLoop { [configuration] pool in
            try await pool.withConnection {
                try await $0.script(text, timeoutMilliseconds: configuration.statementTimeoutMilliseconds)
            }
        }
    }

    /// Runs on the caller's loop, or on the next one when the caller is on none.
    private func onLoop<T: Sendable>(
        _ body: @escaping @Sendable (PostgreSQLPool) async throws -> T
    ) async throws -> T {
        let loop = group.next()
        let pool = pools[loop.index]
        if loop.isCurrent { return try await body(pool) }
        return try await loop.run { try await body(pool) }
    }
}
