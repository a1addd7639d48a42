import Observability
import Wiring

extension Command {
    /// Operations as code: files that are made from values beside the code that they watch.
    static let render = Command(
        name: "render", synopsis: "[--check]",
        summary: "Write dashboards, alerts, runbooks and docs/telemetry.md from what the code declares.",
        options: [
            Option(name: "check", value: nil, help: "write nothing; fail and say which files are stale"),
            Option(name: "folder", value: "PATH", help: "the root of the repository (default .)"),
        ]
    ) { arguments in
        let folder = RenderedFolder(path: arguments.options["folder"] ?? ".")
        let files = try PlatformRendering(services: ServiceTable.all).files()
        if arguments.flag("check") {
            let stale = try folder.stale(files)
            for problem in stale { Terminal.errors.line(problem) }
            guard stale.isEmpty else {
                Terminal.errors.line("\(stale.count) rendered files are stale: run 'vitrine render' and commit")
                return 1
            }
            Terminal.standard.line("\(files.count) rendered files are up to date")
            return 0
        }
        let written = try folder.write(files)
        for path in written { Terminal.standard.line("wrote \(path)") }
        Terminal.standard.line("\(files.count) files, \(written.count) changed")
        return 0
    }
}
