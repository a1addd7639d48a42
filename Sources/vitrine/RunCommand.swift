import EventLoop
import ServiceKit
import Wiring

extension Command {
    /// What an image runs: services against servers that the environment names.
    static let run = Command(
        name: "run", synopsis: "all | SERVICE… [--set NAME=VALUE]",
        summary: "Run services in this process, until SIGTERM.",
        options: [
            Option(name: "set", value: "NAME=VALUE,…", help: "settings that override the environment")
        ]
    ) { arguments in
        let services = try ServiceTable.named(arguments.positional)
        let values = try ProcessSettings.values(overridden: arguments.options["set"])
        let group = EventLoopGroup()
        let host = ServiceHost(services: services, of: ServiceTable.all, values: values, group: group)
        try await host.start()
        for endpoint in host.endpoints { Terminal.errors.line("\(endpoint.name) listens on \(endpoint.url)") }
        _ = await Signals.wait()
        await host.stop()
        group.shutdown()
        return 0
    }
}
