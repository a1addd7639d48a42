internal import Glibc

/// A private Prometheus that scrapes every service, with exemplars and the OTLP receiver of its version.
package final class PrometheusServer: Sendable {
    package let port: Int
    package let process: ChildProcess
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Whether the program is installed.
    package static var isInstalled: Bool { Files.program("prometheus") != nil }

    /// - Parameters:
    ///   - targets: service name and `host:port`.
    ///   - alertmanager: its `host:port`, or nil.
    ///   - rules: files of rules, by name and content.
    ///   - arguments: more of the program's.
    package init(
        folder: String, port: Int, targets: [(name: String, address: String)], alertmanager: String?,
        rules: [(name: String, text: String)] = [], scrapeIntervalSeconds: Int = 5,
        arguments: [String] = []
    ) throws {
        self.port = port
        let program = try Server.require("prometheus", package: "prometheus")
        try Files.makeFolder(folder + "/data")
        // Rules of another version must not stay behind.
        try Files.removeFolder(folder + "/rules")
        try Files.makeFolder(folder + "/rules")
        for rule in rules { try Files.write("\(folder)/rules/\(rule.name).yml", rule.text) }
        let configuration = Self.configuration(
            targets: targets + [("prometheus", "127.0.0.1:\(port)")], alertmanager: alertmanager,
            rules: rules.isEmpty ? [] : [folder + "/rules/*.yml"], scrapeIntervalSeconds: scrapeIntervalSeconds)
        try Files.write(folder + "/prometheus.yml", configuration)
        let process = try ChildProcess(
            name: "Prometheus",
            [
                program, "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--enable-feature=exemplar-storage",
                "--storage.tsdb.retention.size=512MB", "--log.level=warn",
            ] + arguments, folder: folder, logPath: folder + "/prometheus.log")
        self.process = process
        try Server.wait(for: process, timeoutMilliseconds: 20_000) { Ports.accepts(port) }
    }

    package func stop() { process.stop() }

    /// The configuration file: one job a service, so that `job` is its name.
    package static func configuration(
        targets: [(name: String, address: String)], alertmanager: String?, rules: [String], scrapeIntervalSeconds: Int
    ) -> String {
        var text = """
            global:
              scrape_interval: \(scrapeIntervalSeconds)s
              evaluation_interval: \(scrapeIntervalSeconds)s
            scrape_configs:

            """
        // A service and its worker are two targets of one job.
        var names: [String] = []
        for target in targets where !names.contains(target.name) { names.append(target.name) }
        for name in names {
            let addresses = targets.filter { $0.name == name }.map { "\"\($0.address)\"" }
            text += """
                  - job_name: \(name)
                    static_configs:
                      - targets: [\(addresses.joined(separator: ", "))]

                """
        }
        if !rules.isEmpty {
            text += "rule_files:\n" + rules.map { "  - \($0)\n" }.joined()
        }
        if let alertmanager {
            text += """
                alerting:
                  alertmanagers:
                    - static_configs:
                        - targets: ["\(alertmanager)"]

                """
        }
        return text
    }
}

/// A private Alertmanager.
package final class AlertmanagerServer: Sendable {
    package let port: Int
    package let process: ChildProcess
    package var url: String { "http://127.0.0.1:\(port)" }

    package static var isInstalled: Bool { program != nil }

    private static var program: String? {
        Files.program("prometheus-alertmanager") ?? Files.program("alertmanager")
    }

    /// - Parameter configuration: its file; one that tells nobody when nil.
    package init(folder: String, port: Int, configuration: String? = nil) throws {
        self.port = port
        guard let program = Self.program else {
            throw LocalStackError("alertmanager is not installed: run 'make setup' (prometheus-alertmanager)")
        }
        try Files.makeFolder(folder + "/data")
        try Files.write(
            folder + "/alertmanager.yml",
            configuration ?? "route:\n  receiver: none\nreceivers:\n  - name: none\n")
        let process = try ChildProcess(
            name: "Alertmanager",
            [
                program, "--config.file=\(folder)/alertmanager.yml", "--storage.path=\(folder)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=", "--log.level=warn",
            ], folder: folder, logPath: folder + "/alertmanager.log")
        self.process = process
        try Server.wait(for: process, timeoutMilliseconds: 20_000) { Ports.accepts(port) }
    }

    package func stop() { process.stop() }
}
