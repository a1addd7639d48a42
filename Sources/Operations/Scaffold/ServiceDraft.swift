/// A service that is to be made of models: its definition, as text.
package struct ServiceDraft: Sendable {
    let name: Name
    /// Where it listens by default.
    let port: Int
    let model: ModelDraft

    /// - Throws: `ScaffoldError` for a name of several words: settings such as `ASSETS_PORT` are made of it.
    package init(_ name: Name, port: Int, model: ModelDraft) throws(ScaffoldError) {
        guard name.words.count == 1, !name.isReserved else {
            throw ScaffoldError("'\(name.snake)' is no name of a service: it must be one word")
        }
        guard (1_024...65_535).contains(port) else {
            throw ScaffoldError("\(port) is no port of a service: choose one of 1024 to 65535")
        }
        self.name = name
        self.port = port
        self.model = model
    }

    /// `AssetsService.swift`
    var source: String {
        """
        internal import Models
        package import ServiceKit

        /// \(model.name.plural.spoken.prefix(1).uppercased() + model.name.plural.spoken.dropFirst()) of a company, kept and offered.
        package enum \(name.type)Service {
            package static let definition = ServiceDefinition(
                name: "\(name.snake)", summary: "\(model.name.plural.spoken)", port: \(port), database: "\(name.snake)_db",
                migrations: [
        \(Self.migration(1, model))
                ]
            ) { app in
                let staff = Access.roles(["admin", "manager", "superuser"])
                let models = Models(app)
        \(Self.resource(model))
            }
        }

        """
    }

    /// One migration in a definition's list.
    static func migration(_ number: Int, _ model: ModelDraft) -> String {
        let digits = String(repeating: "0", count: max(0, 3 - "\(number)".count)) + "\(number)"
        return """
                        Migration(\(number), "\(model.migrationName)", PackageResources._\(digits)_\(model.migrationName)_sql)
            """
    }

    /// The routes of one model.
    static func resource(_ model: ModelDraft) -> String {
        """
                models.resource(\(model.name.type).self, at: "\(model.path)", .reading(.user, writing: staff))
        """
    }
}
