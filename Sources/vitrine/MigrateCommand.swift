import EventLoop
import ServiceKit
import Wiring

extension Command {
    /// Schemas to their newest version, without starting anything.
    static let migrate = Command(
        name: "migrate", synopsis: "all | SERVICE…",
        summary: "Bring the databases of services to their newest schema, under a lock.",
        options: [
            Option(name: "set", value: "NAME=VALUE,…", help: "settings that override the environment")
        ]
    ) { arguments in
        let services = try ServiceTable.named(arguments.positional)
        let values = try ProcessSettings.values(overridden: arguments.options["set"])
        let group = EventLoopGroup(count: 1)
        for service in services where service.database != nil {
            let applied = try await ServiceHost.migrate(service, values: values, group: group)
            let names = applied.isEmpty ? "is up to date" : "applied " + applied.joined(separator: ", ")
            Terminal.standard.line("\(service.name): \(names)")
        }
        group.shutdown()
        return 0
    }
}
