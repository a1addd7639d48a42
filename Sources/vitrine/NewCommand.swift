import Scaffold

extension Command {
    /// A service or a model in a minute: what it makes builds, is tested and is seen like everything else.
    static let new = Command(
        name: "new", synopsis: "service NAME [FIELD…] | model NAME FIELD… --service SERVICE",
        summary: """
            Make a service with its first model, or a model of a service: sources, migration, tests and wiring.

            A FIELD is name:type, then traits: title:line,searchable  price:money  bought_at:time?  state:choice(new|old)
            types:  \(Scaffold.typeWords); a '?' after the type: may be empty
            traits: \(Scaffold.traitWords)
            """,
        options: [
            Option(
                name: "model", value: "NAME",
                help: "of a new service's first model (default: the service's, in the singular)"),
            Option(name: "port", value: "N", help: "where a new service listens (default: the next free one)"),
            Option(name: "service", value: "NAME", help: "the service that a new model belongs to"),
            Option(name: "folder", value: "PATH", help: "the root of the repository (default .)"),
            Option(name: "dry-run", value: nil, help: "say what would be written, and write nothing"),
        ]
    ) { arguments in
        let tree = try SourceTree(path: arguments.options["folder"] ?? ".")
        var scaffold = tree.scaffold()
        let words = arguments.positional
        let service: Name
        switch words.first {
        case "service" where words.count > 1:
            service = try Name(words[1], of: "service")
            let model = try ModelDraft(
                arguments.options["model"].map { try Name($0, of: "model") } ?? service.singular,
                fields: words.count > 2 ? Array(words[2...]) : ModelDraft.usualFields)
            try scaffold.add(ServiceDraft(service, port: try port(arguments, scaffold), model: model))
        case "model" where words.count > 2:
            guard let name = arguments.options["service"] else {
                throw UsageError("say which service the model belongs to with --service")
            }
            service = try Name(name, of: "service")
            let known = scaffold
            let owner = service
            let model = try ModelDraft(
                Name(words[1], of: "model"), fields: Array(words[2...]), table: { known.table(of: $0, in: owner) })
            try scaffold.add(model, to: service)
        default:
            throw UsageError("say 'service NAME' or 'model NAME FIELD…'")
        }
        let isDry = arguments.flag("dry-run")
        let changes = scaffold.changes
        if !isDry { try tree.write(changes) }
        for change in changes {
            let verb = (isDry ? "would " : "") + (change.isNew ? "write" : "change")
            Terminal.standard.line("  \(Usage.padded(verb, 14))\(change.path)")
        }
        if try !scaffold.hasTests(service) {
            Terminal.standard.line("\nNo test was written: the service has no \(service.testTarget) of its own.")
        }
        Terminal.standard.write(
            """

            Next:
              make render                                    dashboards, alerts and docs of what is new
              deploy/test --filter \(Usage.padded(service.testTarget, 26))build and test it
              make run                                       then GET /docs of the service shows its routes

            """)
        return 0
    }

    private static func port(_ arguments: Arguments, _ scaffold: Scaffold) throws -> Int {
        guard let text = arguments.options["port"] else { return try scaffold.freePort() }
        guard let port = Int(text) else { throw UsageError("--port takes a number, not '\(text)'") }
        return port
    }
}
