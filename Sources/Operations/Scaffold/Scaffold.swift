/// What `vitrine new` does to a tree: files that it writes, and lines that it adds to the few that list services. All of
/// it is worked out before the first file is touched, so a name that is taken or a line that is missing changes nothing.
package struct Scaffold: Sendable {
    /// The types and traits of a field, for help.
    package static let typeWords = DraftType.words
    package static let traitWords = DraftField.traitNames.map(\.word).joined(separator: ", ")

    private let read: @Sendable (String) -> String?
    private static let modelServices = "var modelServices"
    private static let ports = "Sources/Platform/ServiceKit/Discovery/ServiceDirectory.swift"
    private var changed: [String: String] = [:]
    private var order: [String] = []

    /// - Parameter read: the text of a file by its path from the root; nil when there is none.
    package init(read: @escaping @Sendable (String) -> String?) { self.read = read }

    /// A file to write: its path from the root, its whole text, and whether it is there already.
    package struct Change: Sendable, Hashable {
        package let path: String
        package let text: String
        package let isNew: Bool
    }

    package var changes: [Change] {
        order.compactMap { path in
            changed[path].map { Change(path: path, text: $0, isNew: read(path) == nil) }
        }
    }

    private func current(_ path: String) throws(ScaffoldError) -> String {
        guard let text = changed[path] ?? read(path) else {
            throw ScaffoldError("there is no \(path): run this at the root of the repository, or say --folder")
        }
        return text
    }

    private mutating func set(_ path: String, _ text: String) {
        if changed[path] == nil { order.append(path) }
        changed[path] = text
    }

    private mutating func create(_ path: String, _ text: String) throws(ScaffoldError) {
        guard changed[path] == nil, read(path) == nil else { throw ScaffoldError("\(path) is there already") }
        set(path, text)
    }

    private mutating func edit(
        _ path: String, _ body: (inout Edits) throws(ScaffoldError) -> Void
    ) throws(ScaffoldError) {
        var edits = Edits(path: path, text: try current(path))
        try body(&edits)
        set(path, edits.text)
    }

    // MARK: A service

    /// Makes a service with its first model.
    package mutating func add(_ service: ServiceDraft) throws(ScaffoldError) {
        let type = service.name.type
        let name = service.name.snake
        let folder = "Sources/Services/\(type)"
        try create("\(folder)/\(type)Service.swift", service.source)
        try addFiles(service.model, number: 1, to: service.name)
        try edit("Package.swift") { file throws(ScaffoldError) in
            try file.insert("modelServices.append(\"\(type)\")", at: Self.modelServices, isAfter: true)
        }
        try edit("Sources/Operations/Wiring/ServiceTable.swift") { file throws(ScaffoldError) in
            try file.insertImport(type)
            try file.insert("        \(type)Service.definition,", at: "GatewayService.definition")
        }
        try edit(Self.ports) { file throws(ScaffoldError) in
            guard !file.contains("\"\(name)\":") else {
                throw ScaffoldError("there is a service '\(name)' already")
            }
            guard !file.contains(": \(service.port),") else {
                throw ScaffoldError("the port \(service.port) is another service's: choose one with --port")
            }
            try file.insert("        \"\(name)\": \(service.port),", at: "    ]", from: "static let defaultPorts")
        }
        try edit("docker-compose.yml") { file throws(ScaffoldError) in
            try file.insert("    \(name.uppercased())_URL: http://\(name):\(service.port)", at: "    GATEWAY_URL:")
            try file.insert(
                """
                  \(name):
                    <<: *service
                    command: ["run", "\(name)"]
                    healthcheck: { test: ["CMD", "curl", "-fsS", "http://127.0.0.1:\(service.port)/health/ready"], interval: 10s, timeout: 3s, retries: 12 }
                """, at: "  gateway:")
        }
        try addRoute(service.model, to: service.name)
    }

    /// The lowest port from 8020 on that no service has.
    package func freePort() throws(ScaffoldError) -> Int {
        let table = try current(Self.ports)
        return (8_020...8_999).first { !table.contains(": \($0),") } ?? 8_999
    }

    // MARK: A model

    /// Makes a model in a service that is there.
    package mutating func add(_ model: ModelDraft, to service: Name) throws(ScaffoldError) {
        let path = "Sources/Services/\(service.type)/\(service.type)Service.swift"
        guard let definition = read(path) else {
            throw ScaffoldError("there is no service '\(service.snake)' (\(path)): 'vitrine new service' makes one")
        }
        let numbers = definition.split(separator: "Migration(").dropFirst().compactMap { part in
            Int(part.prefix { $0.isNumber })
        }
        let number = (numbers.max() ?? 0) + 1
        try addFiles(model, number: number, to: service, hasTests: try hasTests(service))
        try edit(path) { file throws(ScaffoldError) in
            try file.append(ServiceDraft.migration(number, model), toListAt: "migrations: [", endingAt: "        ]")
            try file.insert(ServiceDraft.resource(model), at: "let models = Models(app)", isAfter: true)
        }
        try addRoute(model, to: service)
    }

    /// The table of a model that a service has; nil when it has no such model.
    package func table(of model: Name, in service: Name) -> String? {
        guard let source = read("Sources/Services/\(service.type)/Domain/\(model.type).swift") else { return nil }
        let parts = source.split(separator: "Schema<\(model.type)>(\"", maxSplits: 1)
        return parts.count == 2 ? parts[1].split(separator: "\"").first.map(String.init) : nil
    }

    /// Whether a service has a test target of its own, as those have that `add` made.
    package func hasTests(_ service: Name) throws(ScaffoldError) -> Bool {
        Edits(path: "Package.swift", text: try current("Package.swift"))
            .contains("modelServices.append(\"\(service.type)\")")
    }

    private mutating func addFiles(
        _ model: ModelDraft, number: Int, to service: Name, hasTests: Bool = true
    ) throws(ScaffoldError) {
        let folder = "Sources/Services/\(service.type)"
        let digits = String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)"
        try create("\(folder)/Domain/\(model.name.type).swift", model.source)
        try create("\(folder)/Storage/Migrations/\(digits)_\(model.migrationName).sql", model.migration)
        guard hasTests else { return }
        try create("Tests/\(service.testTarget)/\(model.name.type)Tests.swift", model.tests(of: service))
    }

    private mutating func addRoute(_ model: ModelDraft, to service: Name) throws(ScaffoldError) {
        try edit("Sources/Services/Gateway/Domain/RoutingTable.swift") { file throws(ScaffoldError) in
            guard !file.contains("Entry(\"\(model.path)\"") else {
                throw ScaffoldError("\(model.path) is another service's path: choose another name for the model")
            }
            try file.insert(
                "        Entry(\"\(model.path)\", to: \"\(service.snake)\", errors: .problem),", at: "    ])",
                from: "static let platform")
        }
    }
}
