import Demo
import EventLoop
import Glibc
import HTTP
import LocalStack
import Observability
import ServiceKit
import Wiring

/// Everything that `vitrine up` runs: private servers, the services on top of them, monitoring beside them.
struct LocalPlatform {
    let folder: LocalFolder
    /// Where the person reads; standard output itself carries the log lines of the services, into a file.
    let terminal: Terminal
    var isSeparate = false
    var isSeeded = true
    var isMonitored = true

    private var settings: [String: String]
    private let usesFreePorts: Bool
    private var postgres: PostgresServer?
    private var redis: RedisServer?
    private var rabbit: RabbitServer?
    private var prometheus: PrometheusServer?
    private var alertmanager: AlertmanagerServer?
    private var group: EventLoopGroup?
    private var host: ServiceHost?
    private var children: [ChildProcess] = []
    private var ports: [String: Int] = [:]
    /// Of the processes that run tasks, by service.
    private var workerPorts: [String: Int] = [:]

    init(folder: LocalFolder, settings: [String: String], usesFreePorts: Bool) {
        self.folder = folder
        self.settings = settings
        self.usesFreePorts = usesFreePorts
        terminal = Terminal(descriptor: dup(1))
        let log = open(folder.path + "/logs/vitrine.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if log >= 0 {
            dup2(log, 1)
            close(log)
        }
    }

    // MARK: Start

    mutating func start() async throws {
        terminal.line("Vitrine starts in \(folder.path)")
        try await startServers()
        try configureServices()
        try await startServices()
        if isMonitored { try await startMonitoring() }
        try folder.publish(endpoints)
        if isSeeded { try await seed() }
    }

    private mutating func startServers() async throws {
        // RabbitMQ takes longest: it starts while the others do.
        let folder = self.folder.path
        let needsRabbit = settings["RABBITMQ_URL"] == nil
        let rabbitPort = try port(5672, of: "RabbitMQ")
        let managementPort = try port(15672, of: "RabbitMQ's management")
        let metricsPort = isMonitored ? try port(15692, of: "RabbitMQ's metrics") : nil
        let workers = WorkerPool(threads: 2, name: "launcher")
        defer { workers.shutdown() }
        async let rabbitStarted: RabbitServer? = workers.run {
            needsRabbit
                ? try RabbitServer(
                    folder: folder + "/rabbitmq", port: rabbitPort, managementPort: managementPort,
                    metricsPort: metricsPort) : nil
        }
        if settings["DATABASE_URL"] == nil {
            let port = try port(5432, of: "PostgreSQL")
            let server = try await terminal.step("PostgreSQL") {
                try await workers.run {
                    try PostgresServer(folder: folder + "/postgres", port: port, durability: .full)
                }
            }
            postgres = server
            settings["DATABASE_URL"] = server.url
        }
        if settings["REDIS_URL"] == nil {
            let port = try port(6379, of: "Redis")
            let server = try await terminal.step("Redis") {
                try await workers.run { try RedisServer(folder: folder + "/redis", port: port) }
            }
            redis = server
            settings["REDIS_URL"] = server.url
        }
        if needsRabbit {
            terminal.write("  \(Usage.padded("RabbitMQ …", 44))")
            let start = Terminal.seconds()
            guard let server = try await rabbitStarted else { return }
            terminal.line("\(terminal.tick) \(Terminal.oneDecimal(Terminal.seconds() - start)) s")
            rabbit = server
            settings["RABBITMQ_URL"] = server.url
        }
    }

    /// The standard port, or a free one when somebody has it: that is said, because clients may expect the standard.
    private func port(_ standard: Int, of name: String) throws -> Int {
        if usesFreePorts { return try Ports.free() }
        let port = try Ports.preferring(standard)
        if port != standard {
            terminal.line(
                "  port \(standard) is in use by another program: \(name) listens on \(port) instead "
                    + "('ss -ltnp' names the program; stop it and start again for the standard port)")
        }
        return port
    }

    private mutating func configureServices() throws {
        for name in ["JWT_SECRET", "IDENTITY_SECRET", "NOTIFICATIONS_ALERTS_TOKEN"] where settings[name] == nil {
            settings[name] = try folder.secret(name)
        }
        if settings["USERS_ADMIN_EMAIL"] == nil {
            settings["USERS_ADMIN_EMAIL"] = "admin@vitrine.local"
            // Upper case, lower case and a digit, whatever the random part is.
            settings["USERS_ADMIN_PASSWORD"] = try "Aa1" + folder.secret("ADMIN_PASSWORD", bytes: 12)
        }
        settings["NOTIFICATIONS_MAILBOX"] = settings["NOTIFICATIONS_MAILBOX"] ?? folder.path + "/mailbox"
        for service in ServiceTable.all {
            let prefix = service.name.uppercased()
            let port: Int
            if let given = settings[prefix + "_PORT"].flatMap(Int.init) {
                port = given
            } else {
                port = try self.port(service.port, of: service.name)
            }
            ports[service.name] = port
            settings[prefix + "_PORT"] = "\(port)"
            settings[prefix + "_URL"] = settings[prefix + "_URL"] ?? "http://127.0.0.1:\(port)"
            guard isSeparate, !service.ownTasks.isEmpty else { continue }
            let workerPort = try self.port(
                service.port + ServiceRole.workerPortOffset, of: "the worker of \(service.name)")
            workerPorts[service.name] = workerPort
            settings[prefix + "_WORKER_PORT"] = "\(workerPort)"
        }
        if isSeparate { settings["TASKS_IN_SERVICE"] = settings["TASKS_IN_SERVICE"] ?? "false" }
    }

    private mutating func startServices() async throws {
        if isSeparate {
            try await startProcesses()
            return
        }
        let group = EventLoopGroup()
        self.group = group
        let host = ServiceHost(services: ServiceTable.all, of: ServiceTable.all, values: settings, group: group)
        self.host = host
        try await terminal.step("\(ServiceTable.all.count) services") { try await host.start() }
    }

    private mutating func startProcesses() async throws {
        guard let program = try? ProcessSettings.ownPath() else {
            throw LocalStackError("this program's own path is unknown")
        }
        for service in ServiceTable.all {
            let log = folder.path + "/logs/\(service.name).log"
            let child = try ChildProcess(
                name: service.name, [program, "run", service.name], environment: settings, logPath: log)
            children.append(child)
            guard workerPorts[service.name] != nil else { continue }
            children.append(
                try ChildProcess(
                    name: "worker of \(service.name)", [program, "worker", service.name], environment: settings,
                    logPath: folder.path + "/logs/\(service.name)-worker.log"))
        }
        let addresses = Array(ports.values) + Array(workerPorts.values)
        let processes = children
        try await terminal.step("\(children.count) processes") {
            for _ in 0..<1200 {
                for child in processes where !child.isRunning {
                    throw LocalStackError(
                        "\(child.name) ended while starting; its log \(child.logPath) ends with:\n\(child.lastLines())")
                }
                if addresses.allSatisfy(Ports.accepts) { return }
                try await Task.sleep(nanoseconds: 50_000_000)
            }
            throw LocalStackError("the services were not ready after 60 s: see \(folder.path)/logs")
        }
    }

    private mutating func startMonitoring() async throws {
        let path = folder.path
        let workers = WorkerPool(threads: 1, name: "launcher")
        defer { workers.shutdown() }
        if AlertmanagerServer.isInstalled {
            let port = try port(9093, of: "Alertmanager")
            let token = try folder.file("alertmanager/token", settings["NOTIFICATIONS_ALERTS_TOKEN"] ?? "")
            let webhook = AlertmanagerConfiguration.Webhook(
                url: (settings["NOTIFICATIONS_URL"] ?? "") + "/alerts/v4", tokenFile: token)
            alertmanager = try await terminal.step("Alertmanager") {
                try await workers.run {
                    try AlertmanagerServer(
                        folder: path + "/alertmanager", port: port,
                        configuration: AlertmanagerConfiguration(webhook: webhook).text)
                }
            }
        }
        if PrometheusServer.isInstalled {
            let port = try port(9090, of: "Prometheus")
            let servers: [(String, String)] =
                (rabbit?.metricsPort).map { [("rabbitmq", "127.0.0.1:\($0)")] } ?? []
            let targets =
                ServiceTable.all.map { ($0.name, "127.0.0.1:\(ports[$0.name] ?? $0.port)") }
                + workerPorts.map { ($0.key, "127.0.0.1:\($0.value)") } + servers
            let rules = AlertCatalog(services: ServiceTable.all).files.map { ($0.name, $0.text(Links())) }
            let alerts = alertmanager.map { "127.0.0.1:\($0.port)" }
            prometheus = try await terminal.step("Prometheus") {
                try await workers.run {
                    try PrometheusServer(
                        folder: path + "/prometheus", port: port, targets: targets, alertmanager: alerts, rules: rules)
                }
            }
        }
    }

    private mutating func seed() async throws {
        let loader = DemoLoader(
            gateway: gatewayURL, adminName: settings["USERS_ADMIN_EMAIL"] ?? "",
            adminPassword: settings["USERS_ADMIN_PASSWORD"] ?? "")
        try await terminal.step("demo catalog") { try await loader.loadCatalog() }
    }

    // MARK: What runs

    private var gatewayURL: String { "http://127.0.0.1:\(ports["gateway"] ?? 8080)" }

    private var endpoints: [String: String] {
        var result = settings.filter { name, _ in
            name.hasSuffix("_URL") || name.hasPrefix("USERS_ADMIN_") || name == "NOTIFICATIONS_MAILBOX"
        }
        result["GATEWAY_URL"] = gatewayURL
        if let prometheus { result["PROMETHEUS_URL"] = prometheus.url }
        if let alertmanager { result["ALERTMANAGER_URL"] = alertmanager.url }
        if let rabbit { result["RABBITMQ_MANAGEMENT_URL"] = rabbit.managementURL }
        result["LOGS"] = folder.path + "/logs"
        return result
    }

    func printTable(readyAfterSeconds seconds: Double) {
        var rows: [(String, String, String)] = ServiceTable.all.reversed().map {
            ($0.name, "http://127.0.0.1:\(ports[$0.name] ?? $0.port)", $0.summary)
        }
        if let prometheus { rows.append(("Prometheus", prometheus.url, "metrics of every service")) }
        if let alertmanager { rows.append(("Alertmanager", alertmanager.url, "alerts")) }
        if let rabbit { rows.append(("RabbitMQ", rabbit.managementURL, "queues (guest, guest)")) }
        if let postgres { rows.append(("PostgreSQL", postgres.url, "one database for each service")) }
        if let redis { rows.append(("Redis", redis.url, "carts, caches")) }
        rows.append(("logs", folder.path + "/logs", "JSON lines, one file for each process"))
        rows.append(("mailbox", settings["NOTIFICATIONS_MAILBOX"] ?? "", "e-mail that was sent"))
        terminal.line("")
        for row in rows { terminal.line("  " + Usage.padded(row.0, 16) + Usage.padded(row.1, 42) + row.2) }
        terminal.line("\nready after \(Terminal.oneDecimal(seconds)) s; 'vitrine demo' shops; Ctrl-C stops everything")
    }

    // MARK: Stop

    mutating func stop() async {
        folder.withdraw()
        await host?.stop()
        for child in children { child.signal(SIGTERM) }
        for child in children { child.stop(timeoutMilliseconds: 20_000) }
        group?.shutdown()
        prometheus?.stop()
        alertmanager?.stop()
        rabbit?.stop()
        redis?.stop()
        postgres?.stop()
    }
}
