/// Real servers as private child processes, for `vitrine up` and for tests.
package struct ServerAddresses: Sendable {
    /// `postgresql://postgres@127.0.0.1:PORT/` (append a database name).
    package var postgres: String
    /// `redis://127.0.0.1:PORT`
    package var redis: String
    /// `amqp://guest:guest@127.0.0.1:PORT/`
    package var rabbitmq: String
}

/// Servers shared by every test of a run: started once on free ports, ended with the test process.
package enum TestServers {
    /// Starts PostgreSQL on the first call. Connection URL of a fresh, empty database.
    package static func postgresDatabase() async throws -> String { fatalError("skeleton") }
    /// Starts Redis on the first call.
    package static func redis() async throws -> String { fatalError("skeleton") }
    /// Starts RabbitMQ on the first call (about 8 seconds). URL of a fresh virtual host.
    package static func rabbitmq() async throws -> String { fatalError("skeleton") }
}
