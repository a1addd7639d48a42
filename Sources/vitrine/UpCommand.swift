import Demo
import EventLoop
import Glibc
import HTTP
import LocalStack
import ServiceKit

extension Command {
    /// The whole platform on this machine.
    static let up = Command(
        name: "up", synopsis: "[OPTIONS]",
        summary: "Start PostgreSQL, Redis, RabbitMQ and every service on this machine; Ctrl-C stops it all.",
        options: [
            Option(name: "folder", value: "PATH", help: "where data, logs and secrets live (default .vitrine)"),
            Option(name: "separate", value: nil, help: "one process for each service instead of one for all"),
            Option(name: "free-ports", value: nil, help: "never use the standard ports"),
            Option(name: "no-seed", value: nil, help: "do not load the demo catalog"),
            Option(name: "no-monitoring", value: nil, help: "do not start Prometheus and Alertmanager"),
        ]
    ) { arguments in
        var stack = LocalPlatform(
            folder: try LocalFolder(path: arguments.options["folder"] ?? ".vitrine"),
            settings: ProcessSettings.environment(), usesFreePorts: arguments.flag("free-ports"))
        stack.isSeparate = arguments.flag("separate")
        stack.isSeeded = !arguments.flag("no-seed")
        stack.isMonitored = !arguments.flag("no-monitoring")
        // The signal is awaited from the start, so that Ctrl-C during start-up stops what already runs.
        let signal = Task { await Signals.wait() }
        let start = Terminal.seconds()
        do {
            try await stack.start()
        } catch {
            await stack.stop()
            throw error
        }
        stack.printTable(readyAfterSeconds: Terminal.seconds() - start)
        _ = await signal.value
        stack.terminal.line("\nstopping …")
        await stack.stop()
        stack.terminal.line("stopped; the data stays in \(stack.folder.path)")
        return 0
    }
}
