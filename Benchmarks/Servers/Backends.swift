import LocalStack

/// A private PostgreSQL, as careful with the disk as `vitrine up` has it, and a private RabbitMQ where one is needed.
final class Backends: Sendable {
    private let postgres: PostgresServer
    private let rabbit: RabbitServer?

    /// Starts them, and says where they are on standard output.
    init(folder: String, hasBroker: Bool) throws {
        postgres = try PostgresServer(folder: folder + "/postgres", port: try Ports.free(), durability: .full)
        rabbit =
            hasBroker
            ? try RabbitServer(
                folder: folder + "/rabbitmq", port: try Ports.free(), managementPort: try Ports.free()) : nil
        let broker = rabbit.map { "RABBITMQ_URL=\($0.url)\n" } ?? ""
        BenchServer.write(1, "DATABASE_URL=\(postgres.url)\n\(broker)ready\n")
    }

    func stop() {
        rabbit?.stop()
        postgres.stop()
    }
}
