import LocalStack

/// A private PostgreSQL, as careful with the disk as `vitrine up` has it, and a private RabbitMQ.
final class Backends: Sendable {
    private let postgres: PostgresServer
    private let rabbit: RabbitServer

    /// Starts both, and says where they are on standard output.
    init(folder: String) throws {
        postgres = try PostgresServer(folder: folder + "/postgres", port: try Ports.free(), durability: .full)
        rabbit = try RabbitServer(
            folder: folder + "/rabbitmq", port: try Ports.free(), managementPort: try Ports.free())
        BenchServer.write(1, "DATABASE_URL=\(postgres.url)\nRABBITMQ_URL=\(rabbit.url)\nready\n")
    }

    func stop() {
        rabbit.stop()
        postgres.stop()
    }
}
