import EventLoop
import ServiceKit
import Wiring

extension Command {
    /// What an image runs beside a service: its tasks only.
    static let worker = Command(
        name: "worker", synopsis: "all | SERVICE… [--set NAME=VALUE]",
        summary: "Run the tasks of services in this process, until SIGTERM; start as many as you like.",
        options: [
            Option(name: "set", value: "NAME=VALUE,…", help: "settings that override the environment")
        ]
    ) { arguments in
        let named = try ServiceTable.named(arguments.positional)
        let services = named.filter { !$0.ownTasks.isEmpty }
        if arguments.positional != ["all"], let idle = named.first(where: { $0.ownTasks.isEmpty }) {
            throw UsageError("the service '\(idle.name)' has no tasks")
        }
        let values = try ProcessSettings.values(overridden: arguments.options["set"])
        let group = EventLoopGroup()
        let host = ServiceHost(
            services: services, of: ServiceTable.all, values: values, group: group, role: .worker)
        try await host.start()
        for endpoint in host.endpoints {
            Terminal.errors.line("the worker of \(endpoint.name) shows its health on \(endpoint.url)")
        }
        _ = await Signals.wait()
        await host.stop()
        group.shutdown()
        return 0
    }
}
