internal import Glibc
package import LocalStack
internal import Observability
package import ServiceKit
internal import Synchronization

/// A platform of its own for drills: real servers, every service a process with fault switches, exporters, Prometheus
/// and Alertmanager with the real rules in shorter windows. Notifications have a PostgreSQL of their own, so that the
/// alert about PostgreSQL can be told.
package final class DrillPlatform: Sendable {
    let folder: LocalFolder
    let time: TimeScale
    private let definitions: [ServiceDefinition]
    private let program: String
    private let state = Mutex(State())
    private let reloading = Mutex(())

    private struct State: Sendable {
        var settings: [String: String] = [:]
        var overrides: [String: [String: String]] = [:]
        var ports: [String: Int] = [:]
        var services: [String: ChildProcess] = [:]
        var exporters: [ChildProcess] = []
        var postgres: PostgresServer?
        var ownPostgres: PostgresServer?
        var redis: RedisServer?
        var rabbit: RabbitServer?
        var prometheus: PrometheusServer?
        var alertmanager: AlertmanagerServer?
        /// What Prometheus does not scrape, and rules that it has beside the usual ones.
        var missingJobs: Set<String> = []
        /// Scraped less often, so that a scrape may take long.
        var slowJob = ""
        var extraRules = false
    }

    static let monitorUser = "monitor"
    static let monitorPassword = "watches-redis-in-drills"
    /// The broker's user of the service whose connection is cut.
    static let brokerUser = "drilled"
    private static let slowScrapeSeconds = 8
    private static let exporterSeconds = 5
    /// Longer than the longest pause between two scrapes.
    private static let lookbackSeconds = 20
    private static let folders = [
        "postgres", "postgres-notifications", "redis", "rabbitmq", "prometheus", "alertmanager", "mailbox",
        "mailbox.away",
    ]
    private static let startAttempts = 2_400

    /// - Parameters:
    ///   - program: this executable, which runs the services. - divisor: how much shorter the windows of rules are.
    package init(folder: LocalFolder, services: [ServiceDefinition], program: String, divisor: Double) {
        self.folder = folder
        self.program = program
        definitions = services
        time = TimeScale(divisor: divisor)
    }

    // MARK: Start

    /// Starts everything; blocking.
    /// - Parameter overrides: settings of single services, given the broker's address for the user whose rights change.
    func start(overrides: (_ broker: String) -> [String: [String: String]], say: (String) -> Void) throws {
        try requirePrograms()
        // What an earlier drill left behind, broken perhaps, is none of this one's.
        for name in Self.folders { _ = try command(["rm", "-rf", folder.path + "/" + name]) }
        for name in ["alertmanager", "mailbox"] { _ = try command(["mkdir", "-p", folder.path + "/" + name]) }
        say("servers")
        try startServers()
        say("services")
        try configure(overrides(try makeBrokerUser()))
        for service in definitions { try startService(service.name) }
        try waitForServices()
        say("monitoring")
        try startExporters()
        try startMonitoring()
    }

    private func requirePrograms() throws {
        for program in ["prometheus-postgres-exporter", "prometheus-redis-exporter"]
        where try Command.run(["sh", "-c", "command -v \(program)"]).status != 0 {
            throw LocalStackError("\(program) is not installed: run 'make setup'")
        }
    }

    private func startServers() throws {
        let path = folder.path
        let postgres = try PostgresServer(folder: path + "/postgres", port: Ports.free(), durability: .none)
        let own = try PostgresServer(folder: path + "/postgres-notifications", port: Ports.free(), durability: .none)
        let redis = try RedisServer(folder: path + "/redis", port: Ports.free())
        let rabbit = try RabbitServer(
            folder: path + "/rabbitmq", port: Ports.free(), managementPort: Ports.free(), metricsPort: Ports.free())
        state.withLock {
            $0.postgres = postgres
            $0.ownPostgres = own
            $0.redis = redis
            $0.rabbit = rabbit
        }
        _ = try redisCommand([
            "ACL", "SETUSER", Self.monitorUser, "on", ">" + Self.monitorPassword, "~*", "&*", "+@all",
        ])
    }

    /// - Returns: the broker's address as that user.
    private func makeBrokerUser() throws -> String {
        let user = Self.brokerUser
        for (path, body) in [
            ("users/\(user)", #"{"password":"\#(user)","tags":""}"#),
            ("permissions/%2F/\(user)", #"{"configure":".*","write":".*","read":".*"}"#),
        ] {
            _ = try command([
                "curl", "-fsS", "-m", "10", "-u", "guest:guest", "-X", "PUT", "-H", "content-type: application/json",
                "-d", body, "\(managementURL)/api/\(path)",
            ])
        }
        let port = state.withLock { $0.rabbit?.port ?? 0 }
        return "amqp://\(user):\(user)@127.0.0.1:\(port)/"
    }

    private func configure(_ overrides: [String: [String: String]]) throws {
        var settings: [String: String] = [
            "VITRINE_FAULTS": "enabled", "USERS_BCRYPT_COST": "4", "USERS_LOGINS_PER_MINUTE": "10000",
            "PROCESSOR_SAGA_TIMEOUT_MILLISECONDS": "5000", "INVARIANT_CHECK_MS": "500", "DATABASE_POOL_SIZE": "3",
            "NOTIFICATIONS_MAILBOX": folder.path + "/mailbox", "LOG_LEVEL": "INFO", "DRAIN_TIMEOUT_SECONDS": "2",
            "USERS_ADMIN_EMAIL": "admin@vitrine.local",
        ]
        for name in ["JWT_SECRET", "IDENTITY_SECRET", "NOTIFICATIONS_ALERTS_TOKEN"] {
            settings[name] = try folder.secret(name)
        }
        settings["USERS_ADMIN_PASSWORD"] = try "Aa1" + folder.secret("ADMIN_PASSWORD", bytes: 12)
        settings["DATABASE_URL"] = postgresURL
        settings["NOTIFICATIONS_DATABASE_URL"] = state.withLock { ($0.ownPostgres?.url ?? "") + "notifications_db" }
        settings["REDIS_URL"] = state.withLock { $0.redis?.url }
        settings["RABBITMQ_URL"] = state.withLock { $0.rabbit?.url }
        var ports: [String: Int] = [:]
        for service in definitions {
            let port = try Ports.free()
            ports[service.name] = port
            settings[service.name.uppercased() + "_PORT"] = "\(port)"
            settings[service.name.uppercased() + "_URL"] = "http://127.0.0.1:\(port)"
        }
        let made = settings
        let known = ports
        state.withLock {
            $0.settings = made
            $0.overrides = overrides
            $0.ports = known
        }
    }

    func startService(_ name: String) throws {
        let (settings, own) = state.withLock { ($0.settings, $0.overrides[name] ?? [:]) }
        var command = [program, "run", name]
        if let descriptors = own["NOFILE"] { command = ["prlimit", "--nofile=\(descriptors)", "--"] + command }
        let child = try ChildProcess(
            name: name, command, environment: settings.merging(own.filter { $0.key != "NOFILE" }) { $1 },
            folder: folder.path, logPath: folder.path + "/logs/\(name).log")
        state.withLock { $0.services[name] = child }
    }

    private func waitForServices() throws {
        for _ in 0..<Self.startAttempts {
            let (ports, services) = state.withLock { ($0.ports, $0.services) }
            for child in services.values where !child.isRunning {
                throw LocalStackError("\(child.name) ended while starting; its log ends with:\n\(child.lastLines())")
            }
            if ports.values.allSatisfy(Ports.accepts) { return }
            usleep(50_000)
        }
        throw LocalStackError("the services were not ready in time: see \(folder.path)/logs")
    }

    private func startExporters() throws {
        let (postgresPort, redisPort) = (try Ports.free(), try Ports.free())
        let postgres = try ChildProcess(
            name: "exporter of PostgreSQL",
            ["prometheus-postgres-exporter", "--web.listen-address=127.0.0.1:\(postgresPort)"],
            environment: ["DATA_SOURCE_NAME": postgresURL + "postgres?sslmode=disable"], folder: folder.path,
            logPath: folder.path + "/logs/postgres-exporter.log")
        let redis = try ChildProcess(
            name: "exporter of Redis",
            [
                "prometheus-redis-exporter", "-redis.addr", redisURL, "-redis.user", Self.monitorUser,
                "-redis.password", Self.monitorPassword, "-web.listen-address", "127.0.0.1:\(redisPort)",
            ], folder: folder.path, logPath: folder.path + "/logs/redis-exporter.log")
        state.withLock {
            $0.exporters = [postgres, redis]
            $0.ports["postgresql"] = postgresPort
            $0.ports["redis"] = redisPort
        }
    }

    // MARK: Monitoring

    private func startMonitoring() throws {
        _ = try folder.file("alertmanager/token", settings["NOTIFICATIONS_ALERTS_TOKEN"] ?? "")
        let alertmanager = try AlertmanagerServer(
            folder: folder.path + "/alertmanager", port: Ports.free(), configuration: alertmanagerText(others: []))
        state.withLock { $0.alertmanager = alertmanager }
        try startPrometheus(port: Ports.free())
    }

    private func alertmanagerText(others: [String]) -> String {
        AlertmanagerConfiguration(
            webhook: .init(url: url("notifications") + "/alerts/v4", tokenFile: folder.path + "/alertmanager/token"),
            others: others, time: time
        ).text
    }

    /// Posts alerts to more addresses.
    func tellAlso(_ others: [String]) throws {
        _ = try folder.file("alertmanager/alertmanager.yml", alertmanagerText(others: others))
        try reload(alertmanagerURL)
    }

    private func startPrometheus(port: Int) throws {
        let rules = AlertCatalog(services: definitions, time: time).files.map { ($0.name, $0.text(Links())) }
        // The alert must go quickly when Prometheus does.
        let prometheus = try PrometheusServer(
            folder: folder.path + "/prometheus", port: port, targets: [], alertmanager: nil, rules: rules,
            scrapeIntervalSeconds: 1,
            arguments: [
                "--rules.alert.resend-delay=5s", "--web.enable-lifecycle",
                // How long series of a target that is gone are still believed: five minutes otherwise.
                "--query.lookback-delta=\(Self.lookbackSeconds)s",
            ])
        state.withLock { $0.prometheus = prometheus }
        try reloadPrometheus()
    }

    func stopPrometheus() { state.withLock { $0.prometheus }?.stop() }
    func restartPrometheus() throws { try startPrometheus(port: state.withLock { $0.prometheus?.port ?? 0 }) }

    /// Changes what Prometheus knows.
    func setPrometheus(missing: String? = nil, slow: String? = nil, broken: Bool? = nil) throws {
        // One change after the other: each writes down what all of them want.
        try reloading.withLock { _ in
            change(missing, slow, broken)
            try reloadPrometheus()
        }
    }

    private func change(_ missing: String?, _ slow: String?, _ broken: Bool?) {
        state.withLock {
            if let missing { $0.missingJobs = missing.isEmpty ? [] : [missing] }
            if let slow { $0.slowJob = slow }
            if let broken { $0.extraRules = broken }
        }
    }

    private func reloadPrometheus() throws {
        let (ports, missing, slow, hasExtraRules, prometheus, alertmanager, rabbit) = state.withLock {
            ($0.ports, $0.missingJobs, $0.slowJob, $0.extraRules, $0.prometheus, $0.alertmanager, $0.rabbit)
        }
        guard let prometheus, let alertmanager else { return }
        var text = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\nscrape_configs:\n"
        var targets = ports.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        targets += [("prometheus", prometheus.port), ("alertmanager", alertmanager.port)]
        if let port = rabbit?.metricsPort { targets.append(("rabbitmq", port)) }
        for (job, port) in targets where !missing.contains(job) {
            text += "  - job_name: \(job)\n"
            // PostgreSQL's exporter tries for three seconds before it says that the server is down.
            let seconds = job == slow ? Self.slowScrapeSeconds : job == "postgresql" ? Self.exporterSeconds : 1
            text += "    scrape_interval: \(seconds)s\n    scrape_timeout: \(seconds)s\n"
            text += "    static_configs: [{targets: [\"127.0.0.1:\(port)\"]}]\n"
        }
        text += "rule_files: [\"\(folder.path)/prometheus/rules/*.yml\"]\n"
        text += "alerting: {alertmanagers: [{static_configs: [{targets: [\"127.0.0.1:\(alertmanager.port)\"]}]}]}\n"
        // A rule that no server can evaluate: several series on both sides.
        let extra = """
            groups:
              - name: broken
                rules:
                  - record: drill:broken
                    expr: \(hasExtraRules ? "up / on () up" : "vector(1)")

            """
        _ = try folder.file("prometheus/rules/extra.yml", extra)
        _ = try folder.file("prometheus/prometheus.yml", text)
        try reload(prometheus.url)
    }

    /// Makes a monitor read its files again; one that has just been started answers a little later.
    private func reload(_ url: String) throws {
        _ = try command([
            "curl", "-fsS", "-m", "20", "--retry", "30", "--retry-delay", "1", "--retry-all-errors", "-X", "POST",
            url + "/-/reload",
        ])
    }

    // MARK: What runs

    var settings: [String: String] { state.withLock { $0.settings } }
    func url(_ service: String) -> String { "http://127.0.0.1:\(port(service))" }
    func port(_ service: String) -> Int { state.withLock { $0.ports[service] ?? 0 } }
    var prometheusURL: String { state.withLock { $0.prometheus?.url ?? "" } }
    var alertmanagerURL: String { state.withLock { $0.alertmanager?.url ?? "" } }
    var managementURL: String { state.withLock { $0.rabbit?.managementURL ?? "" } }
    var postgresURL: String { state.withLock { $0.postgres?.url ?? "" } }
    private var redisURL: String { state.withLock { $0.redis?.url ?? "" } }
    func process(_ service: String) -> ChildProcess? { state.withLock { $0.services[service] } }

    // MARK: Faults from outside

    /// Ends a service as `kill -9` does.
    func kill(_ service: String) {
        guard let child = process(service) else { return }
        child.signal(SIGKILL)
        while child.isRunning { usleep(10_000) }
    }

    func stopRedis() { state.withLock { $0.redis }?.stop() }
    func startRedis() throws {
        guard let port = state.withLock({ $0.redis?.port }) else { return }
        let redis = try RedisServer(folder: folder.path + "/redis", port: port)
        state.withLock { $0.redis = redis }
        _ = try redisCommand([
            "ACL", "SETUSER", Self.monitorUser, "on", ">" + Self.monitorPassword, "~*", "&*", "+@all",
        ])
    }

    func stopPostgres() { state.withLock { $0.postgres }?.stop() }
    func startPostgres() throws {
        guard let port = state.withLock({ $0.postgres?.port }) else { return }
        let postgres = try PostgresServer(folder: folder.path + "/postgres", port: port, durability: .none)
        state.withLock { $0.postgres = postgres }
    }

    /// Runs SQL in a database of the services; blocking.
    @discardableResult
    func sql(_ database: String, _ text: String) throws -> String {
        try command(["psql", postgresURL + database, "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", text])
    }

    /// Asks Redis as its administrator; blocking.
    func redisCommand(_ words: [String], asMonitor: Bool = false) throws -> String {
        let port = state.withLock { $0.redis?.port ?? 0 }
        let user = asMonitor ? ["--user", Self.monitorUser, "--pass", Self.monitorPassword, "--no-auth-warning"] : []
        return try command(["redis-cli", "-p", "\(port)"] + user + words)
    }

    private func command(_ words: [String]) throws -> String {
        let result = try Command.run(words, timeoutMilliseconds: 60_000)
        guard result.status == 0 else { throw LocalStackError("\(words[0]) failed: \(result.output)") }
        return result.output
    }

    // MARK: Stop

    /// Ends everything; blocking.
    package func stop() {
        let running = state.withLock { state in
            defer { state = State() }
            return state
        }
        running.prometheus?.stop()
        running.alertmanager?.stop()
        for child in running.services.values { child.signal(SIGCONT) }
        for child in Array(running.services.values) + running.exporters { child.signal(SIGTERM) }
        for child in Array(running.services.values) + running.exporters { child.stop(timeoutMilliseconds: 8_000) }
        running.rabbit?.stop()
        running.redis?.stop()
        running.postgres?.stop()
        running.ownPostgres?.stop()
    }
}
