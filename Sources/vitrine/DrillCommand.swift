import Drills
import EventLoop
import Glibc
import LocalStack
import Observability
import Wiring

extension Command {
    /// Proof that alerts fire, reach people, and end.
    static let drill = Command(
        name: "drill", synopsis: "ALERT… | all | --list [OPTIONS]",
        summary: "Bring faults about on a platform of its own, and see their alerts fire, arrive and end.",
        options: [
            Option(name: "list", value: nil, help: "show which fault is brought about for which alert"),
            Option(
                name: "divisor", value: "N", help: "how much shorter the windows of rules are, 1 to 120 (default 60)"),
            Option(
                name: "folder", value: "PATH", help: "where the platform of the drills lives (default .vitrine/drill)"),
            Option(name: "record", value: nil, help: "write the table of times into docs/runbooks/README.md"),
        ]
    ) { arguments in
        let alerts = AlertCatalog(services: ServiceTable.all).alerts.map(\.name)
        if arguments.flag("list") {
            for drill in DrillCatalog.all {
                for alert in drill.alerts { Terminal.standard.line(Usage.padded(alert, 30) + drill.cause) }
            }
            return 0
        }
        guard !arguments.positional.isEmpty else { throw UsageError("name alerts to drill, or 'all'") }
        let drills = try DrillCatalog.drills(for: arguments.positional == ["all"] ? alerts : arguments.positional)
        guard let divisor = Double(arguments.options["divisor"] ?? "60"), (1...120).contains(divisor) else {
            throw UsageError("--divisor takes a number from 1 to 120")
        }
        let folder = try LocalFolder(path: arguments.options["folder"] ?? ".vitrine/drill")
        let platform = DrillPlatform(
            folder: folder, services: ServiceTable.all, program: try ProcessSettings.ownPath(), divisor: divisor)
        let start = Terminal.seconds()
        let runner = DrillRunner(platform: platform) { Terminal.errors.line($0) }
        // Ctrl-C ends the platform before the process goes.
        let signal = Task {
            await Signals.wait()
            platform.stop()
            exit(130)
        }
        let results = try await runner.run(drills)
        signal.cancel()
        let report = DrillReport(
            results: results.filter { arguments.positional == ["all"] || arguments.positional.contains($0.alert) },
            divisor: divisor)
        Terminal.standard.line(report.table)
        let minutes = (Terminal.seconds() - start) / 60
        let good = report.results.count(where: \.isGood)
        Terminal.standard.line(
            "\(good) of \(report.results.count) alerts fired, arrived and ended, in \(Terminal.oneDecimal(minutes)) minutes"
        )
        if arguments.flag("record") { try report.record(in: "docs/runbooks/README.md") }
        return good == report.results.count ? 0 : 1
    }
}
