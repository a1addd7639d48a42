import Demo
import LocalStack

extension Command {
    /// A shopper's afternoon, told step by step.
    static let demo = Command(
        name: "demo", synopsis: "[OPTIONS]",
        summary: "Shop on the running platform: one order completes, one is declined, one is out of stock.",
        options: [
            Option(name: "folder", value: "PATH", help: "of the running platform (default .vitrine)")
        ]
    ) { arguments in
        let folder = arguments.options["folder"] ?? ".vitrine"
        let endpoints = LocalFolder.endpoints(in: folder)
        guard let gateway = endpoints["GATEWAY_URL"] else {
            throw LocalStackError("nothing runs in \(folder): start the platform with 'vitrine up' first")
        }
        let story = DemoStory(
            gateway: gateway, adminName: endpoints["USERS_ADMIN_EMAIL"] ?? "",
            adminPassword: endpoints["USERS_ADMIN_PASSWORD"] ?? "", endpoints: endpoints
        ) { Terminal.standard.line($0) }
        return try await story.run() ? 0 : 1
    }
}
