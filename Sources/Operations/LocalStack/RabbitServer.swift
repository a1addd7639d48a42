internal import Glibc

/// A private RabbitMQ: node, database, logs, plug-ins and port mapper of its own, so that it meets no other one.
package final class RabbitServer: Sendable {
    package let port: Int
    package let managementPort: Int
    /// Where Prometheus finds metrics of every queue; nil when nobody asked for them.
    package let metricsPort: Int?
    package let process: ChildProcess
    /// Maps names of nodes to ports. Left to the node it would be a daemon that outlives it.
    private let portMapper: ChildProcess
    package var url: String { "amqp://guest:guest@127.0.0.1:\(port)/" }
    package var managementURL: String { "http://127.0.0.1:\(managementPort)" }

    /// Starts the node; about eight seconds.
    package init(folder: String, port: Int, managementPort: Int, metricsPort: Int? = nil) throws {
        self.port = port
        self.metricsPort = metricsPort
        self.managementPort = managementPort
        let program = try Server.require(
            "rabbitmq-server", in: ["/usr/lib/rabbitmq/bin"], package: "rabbitmq-server")
        try Files.makeFolder(folder + "/mnesia")
        try Files.makeFolder(folder + "/log")
        try Files.write(
            folder + "/rabbitmq.conf",
            """
            listeners.tcp.1 = 127.0.0.1:\(port)
            management.tcp.ip = 127.0.0.1
            management.tcp.port = \(managementPort)
            loopback_users.guest = true
            log.console = true
            log.console.level = warning
            vm_memory_high_watermark.absolute = 512MiB
            disk_free_limit.absolute = 200MB

            """ + Self.metricsConfiguration(metricsPort))
        let plugins = metricsPort == nil ? "rabbitmq_management" : "rabbitmq_management,rabbitmq_prometheus"
        try Files.write(folder + "/enabled_plugins", "[\(plugins)].\n")
        let mapperPort = try Ports.free()
        let portMapper = try ChildProcess(
            name: "epmd", [try Server.require("epmd", package: "erlang-base"), "-port", "\(mapperPort)"],
            environment: ["ERL_EPMD_ADDRESS": "127.0.0.1"], folder: folder, logPath: folder + "/epmd.log")
        self.portMapper = portMapper
        // The node keeps its name for ever (its database carries it); the mapper's port belongs to the folder.
        let name = "vitrine-\(Self.identity(of: folder))@localhost"
        let environment = [
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_MNESIA_BASE": folder + "/mnesia",
            "RABBITMQ_LOG_BASE": folder + "/log",
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
            "RABBITMQ_DIST_PORT": "\(try Ports.free())",
            "RABBITMQ_PID_FILE": folder + "/pid",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            "ERL_EPMD_PORT": "\(mapperPort)",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": folder,
        ]
        let process = try ChildProcess(
            name: "RabbitMQ", [program], environment: environment, folder: folder,
            logPath: folder + "/rabbitmq.log")
        self.process = process
        do {
            try Server.wait(for: process, timeoutMilliseconds: 60_000) {
                Ports.accepts(port) && Ports.accepts(managementPort)
            }
        } catch {
            portMapper.stop()
            throw error
        }
    }

    private static func metricsConfiguration(_ port: Int?) -> String {
        guard let port else { return "" }
        return """
            prometheus.tcp.ip = 127.0.0.1
            prometheus.tcp.port = \(port)
            prometheus.return_per_object_metrics = true

            """
    }

    /// Ends the node; durable queues and persistent messages stay.
    package func stop() {
        process.stop(timeoutMilliseconds: 20_000)
        portMapper.stop()
    }

    /// A short number that is always the same for the same folder (FNV-1a).
    private static func identity(of folder: String) -> String {
        let hash = folder.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        return String(hash & 0xffff_ffff, radix: 16)
    }
}
