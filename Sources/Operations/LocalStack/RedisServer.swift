internal import Glibc

/// A private Redis on the loopback address, with an append-only file in its own folder.
package final class RedisServer: Sendable {
    package let port: Int
    package let process: ChildProcess
    package var url: String { "redis://127.0.0.1:\(port)" }

    package init(folder: String, port: Int) throws {
        self.port = port
        let program = try Server.require("redis-server", package: "redis-server")
        try Files.makeFolder(folder)
        let process = try ChildProcess(
            name: "Redis",
            [
                program, "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
                "--appendfsync", "everysec",
                "--save", "", "--daemonize", "no", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction",
            ], folder: folder, logPath: folder + "/redis.log")
        self.process = process
        try Server.wait(for: process, timeoutMilliseconds: 10_000) { Ports.accepts(port) }
    }

    /// Writes what is pending and ends.
    package func stop() { process.stop() }
}
