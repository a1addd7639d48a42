import ServiceKit
import Wiring

extension ServiceTable {
    /// The services of these names; `all` is every one.
    /// - Throws: `UsageError` naming the unknown one and the known ones.
    static func named(_ names: [String]) throws -> [ServiceDefinition] {
        if names.isEmpty { throw UsageError("name the services to run, or 'all'") }
        if names == ["all"] { return all }
        for name in names where !all.contains(where: { $0.name == name }) {
            let known = all.map(\.name).joined(separator: ", ")
            throw UsageError("there is no service '\(name)' (known: \(known), all)")
        }
        return all.filter { names.contains($0.name) }
    }
}

extension Command {
    static let services = Command(
        name: "services", synopsis: "", summary: "List the services: name, port, database, what each is for."
    ) { _ in
        for service in ServiceTable.all {
            Terminal.standard.line(
                Usage.padded(service.name, 16) + Usage.padded("\(service.port)", 7)
                    + Usage.padded(service.database ?? "-", 19) + service.summary)
        }
        return 0
    }
}
