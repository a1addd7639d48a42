internal import EventLoop
internal import Telemetry

/// A connection to Redis of somebody's own, whose commands may wait for what comes; it opens again when it broke.
package final class RedisBlockingConnection: Sendable {
    private let connection: RedisConnection
    private let telemetry: RedisTelemetry

    init(loop: EventLoop, configuration: RedisClient.Configuration, telemetry: RedisTelemetry) {
        self.telemetry = telemetry
        let connected = telemetry.connected
        connection = RedisConnection(loop: loop, configuration: configuration) { connected.add($0 ? 1 : -1) }
    }

    /// Sends one command and waits for its reply: counted, but neither measured nor traced.
    /// - Throws: `RedisError`.
    @discardableResult
    package func command(_ arguments: [String]) async throws -> RedisValue {
        let connection = connection
        let telemetry = telemetry
        return try await connection.loop.run {
            try await telemetry.countBlocking(arguments[0], loop: connection.loop) {
                try await connection.send(arguments)
            }
        }
    }

    /// What Redis calls this connection, for `CLIENT UNBLOCK`; another one after it opened again.
    package func identifier() async throws -> String? { try await command(["CLIENT", "ID"]).text }

    /// Closes; a command under way fails with `RedisError.shutDown` or a broken connection.
    package func close() {
        connection.loop.perform { [connection] in connection.stop() }
    }
}
