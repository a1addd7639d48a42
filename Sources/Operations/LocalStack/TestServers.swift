internal import Glibc
internal import Synchronization

/// Servers shared by every test of a run: each started on its first use, on a free port, in a temporary folder,
/// ended and removed with the test process.
package enum TestServers {
    /// The URL of a fresh, empty database.
    package static func postgresDatabase() async throws -> String {
        try state.withLock { state in
            let server = try state.postgres()
            state.databases += 1
            let name = "test_\(state.databases)"
            try server.createDatabase(name)
            return server.url + name
        }
    }

    /// The URL of the server, to which a service appends its database's name.
    package static func postgresServer() async throws -> String { try state.withLock { try $0.postgres().url } }

    /// The URL of one of Redis' databases, emptied; sixteen tests may hold one at a time.
    package static func redis() async throws -> String {
        try state.withLock { state in
            let server = try state.redis()
            state.redisDatabases += 1
            return server.url + "/\(state.redisDatabases % 16)"
        }
    }

    /// The URL of a fresh virtual host.
    package static func rabbitmq() async throws -> String {
        try state.withLock { state in
            let server = try state.rabbit()
            state.virtualHosts += 1
            let name = "test\(state.virtualHosts)"
            for (path, body) in [
                ("vhosts/\(name)", "{}"),
                ("permissions/\(name)/guest", #"{"configure":".*","write":".*","read":".*"}"#),
            ] {
                let result = try Command.run([
                    "curl", "-fsS", "-m", "10", "-u", "guest:guest", "-X", "PUT", "-H",
                    "content-type: application/json", "-d", body, "\(server.managementURL)/api/\(path)",
                ])
                guard result.status == 0 else {
                    throw LocalStackError("virtual host \(name) cannot be made: \(result.output)")
                }
            }
            return "amqp://guest:guest@127.0.0.1:\(server.port)/\(name)"
        }
    }

    /// The management API of the RabbitMQ that `rabbitmq()` started.
    package static func rabbitmqManagement() async throws -> String {
        try state.withLock { try $0.rabbit().managementURL }
    }

    private static let state = Mutex(State())

    private struct State: Sendable {
        var folder: String?
        var postgresServer: PostgresServer?
        var redisServer: RedisServer?
        var rabbitServer: RabbitServer?
        var databases = 0
        var redisDatabases = 0
        var virtualHosts = 0

        mutating func temporaryFolder() throws -> String {
            if let folder { return folder }
            let path = "/tmp/vitrine-test-\(getpid())"
            try Files.makeFolder(path)
            chmod(path, 0o755)
            folder = path
            atexit(stopTestServers)
            return path
        }

        mutating func postgres() throws -> PostgresServer {
            if let postgresServer { return postgresServer }
            let server = try PostgresServer(
                folder: temporaryFolder() + "/postgres", port: Ports.free(), durability: .none)
            postgresServer = server
            return server
        }

        mutating func redis() throws -> RedisServer {
            if let redisServer { return redisServer }
            let server = try RedisServer(folder: temporaryFolder() + "/redis", port: Ports.free())
            redisServer = server
            return server
        }

        mutating func rabbit() throws -> RabbitServer {
            if let rabbitServer { return rabbitServer }
            let server = try RabbitServer(
                folder: temporaryFolder() + "/rabbitmq", port: Ports.free(), managementPort: Ports.free())
            rabbitServer = server
            return server
        }
    }

    fileprivate static func stop() {
        state.withLock { state in
            // Nothing of a test is kept: the fastest end will do.
            for process in [
                state.postgresServer?.process, state.redisServer?.process, state.rabbitServer?.process,
            ] { process?.stop(signal: SIGINT, timeoutMilliseconds: 3000) }
            if let folder = state.folder { _ = try? Command.run(["rm", "-rf", folder]) }
        }
    }
}

private func stopTestServers() { TestServers.stop() }
