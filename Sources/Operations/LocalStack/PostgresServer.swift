internal import Glibc

/// A private PostgreSQL: a cluster in a folder of its own, on the loopback address only, trust for its own user.
package final class PostgresServer: Sendable {
    package let port: Int
    package let process: ChildProcess
    /// Append a database name.
    package var url: String { "postgresql://postgres@127.0.0.1:\(port)/" }

    /// How careful the server is with the disk.
    package enum Durability: Sendable {
        /// Every commit reaches the disk.
        case full
        /// For tests: nothing survives a power cut, everything survives a killed process.
        case none
    }

    /// Creates the cluster on first use, starts it, waits until it answers.
    package init(folder: String, port: Int, durability: Durability) throws {
        self.port = port
        let bin = try Self.binFolder()
        let data = folder + "/data"
        try Files.makeFolder(folder)
        try Files.give(folder, to: "postgres")
        if !Files.exists(data + "/PG_VERSION") {
            let result = try Command.run(
                [
                    bin + "/initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8",
                    "--no-sync",
                ], user: "postgres", folder: folder)
            guard result.status == 0 else {
                throw LocalStackError("PostgreSQL cannot create its cluster in \(data):\n\(result.output)")
            }
        }
        var arguments = [
            bin + "/postgres", "-D", data, "-p", "\(port)", "-h", "127.0.0.1", "-k", folder,
            "-c", "max_connections=400", "-c", "shared_buffers=128MB", "-c", "wal_level=replica",
            "-c", "log_min_messages=warning",
        ]
        if case .none = durability {
            arguments += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        }
        let log = folder + "/postgres.log"
        let process = try ChildProcess(
            name: "PostgreSQL", arguments, folder: folder, user: "postgres", deathSignal: "INT", logPath: log)
        self.process = process
        let ready = bin + "/pg_isready"
        try Server.wait(for: process, timeoutMilliseconds: 30_000) {
            try Ports.accepts(port)
                && Command.run([ready, "-q", "-h", "127.0.0.1", "-p", "\(port)"], timeoutMilliseconds: 3000).status == 0
        }
    }

    /// Ends sessions and shuts down; data stays.
    package func stop() { process.stop(signal: SIGINT) }

    /// Creates an empty database.
    package func createDatabase(_ name: String) throws {
        let result = try Command.run(
            [
                Self.binFolder() + "/createdb", "-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", name,
            ])
        guard result.status == 0 else { throw LocalStackError("database \(name) cannot be created: \(result.output)") }
    }

    /// The newest installed version.
    static func binFolder() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = Files.children(of: root).compactMap(Int.init).sorted(by: >)
        for version in versions where Files.exists("\(root)/\(version)/bin/initdb") { return "\(root)/\(version)/bin" }
        throw LocalStackError("PostgreSQL is not installed: run 'make setup' (Debian package postgresql)")
    }
}
