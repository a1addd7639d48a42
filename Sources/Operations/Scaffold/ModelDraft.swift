internal import Models

/// A model that is to be made: its Swift declaration, its migration and its tests, as text.
package struct ModelDraft: Sendable {
    let name: Name
    let fields: [DraftField]

    /// Fields that make a first model when none are asked for.
    package static let usualFields = ["code:code,unique,searchable", "name:line,searchable,indexed"]

    /// - Parameters:
    ///   - fields: as `DraftField` reads them.
    ///   - table: of a model of the same service; nil when there is no such model.
    package init(_ name: Name, fields: [String], table: (Name) -> String? = { _ in nil }) throws(ScaffoldError) {
        guard !name.isReserved else { throw ScaffoldError("a model cannot be called '\(name.type)'") }
        guard !fields.isEmpty else {
            throw ScaffoldError("the model '\(name.type)' has no fields: add some, such as title:line,searchable")
        }
        self.name = name
        var drafts: [DraftField] = []
        for field in fields {
            let draft = try DraftField(field, table: table)
            guard !drafts.contains(where: { $0.name == draft.name }) else {
                throw ScaffoldError("the field '\(draft.name.snake)' is there twice")
            }
            drafts.append(draft)
        }
        self.fields = drafts
    }

    var table: String { name.plural.snake }
    /// `/api/v1/assets`
    var path: String { "/api/v1/\(name.plural.kebab)" }

    // MARK: Texts

    /// `Domain/Asset.swift`
    var source: String {
        let choices = fields.compactMap { field -> String? in
            guard case .choice(let names) = field.type else { return nil }
            let cases = names.map { $0.asCase == $0.snake ? $0.snake : "\($0.asCase) = \"\($0.snake)\"" }
            return "    package enum \(field.name.type): String, Choice { case \(cases.joined(separator: ", ")) }\n"
        }
        return """
            package import Models\(fields.contains { $0.type.isOfValues } ? "\npackage import Values" : "")

            /// \(name.withArticle.prefix(1).uppercased() + name.withArticle.dropFirst()), as the company knows it.
            package struct \(name.type): Model {
            \(choices.joined())\(choices.isEmpty ? "" : "\n")    package var base = Base()
            \(fields.map { "    \($0.property)" }.joined(separator: "\n"))

                package init() {}

                package static let schema = Schema<\(name.type)>("\(table)") {
            \(fields.map { "        \($0.declaration)" }.joined(separator: "\n"))
                }
            }

            """
    }

    /// `Storage/Migrations/0001_create_assets.sql`
    var migration: String {
        let definition = TableDefinition(table, fields.map(\.column))
        return "-- up\n\(definition.create)\n-- down\n\(definition.drop)"
    }

    /// `create_assets`
    var migrationName: String { "create_\(table)" }

    /// A body that is accepted; nil when it must refer to a row that only a person can make up.
    private var exampleBody: String? {
        var members: [String] = []
        for field in fields where field.isRequired {
            guard let example = field.type.example else { return nil }
            members.append("\"\(field.name.snake)\":\(example)")
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// `Tests/AssetsTests/AssetTests.swift`
    func tests(of service: Name) -> String {
        """
        import \(service.type)
        import HTTPCodec
        import ServiceTesting
        import Testing

        /// The routes of \(name.plural.spoken), against a real database, as their users know them.
        @Suite struct \(name.type)Tests {
            private static let path = "\(path)"
        \(exampleBody.map { tests(of: service, body: $0) } ?? "")
            @Test func whatTheSchemaDoesNotKnowIsRefused() async throws {
                try await Deployment.run([\(service.type)Service.definition]) { deployment in
                    let refused = try await deployment.send(.post, Self.path, json: #"{"nobody_knows":1}"#)
                    #expect(refused.status == 422, "\\(refused.text)")
                }
            }

            @Test func itsRoutesAreDocumented() async throws {
                try await Deployment.run([\(service.type)Service.definition]) { deployment in
                    let document = try await deployment.get("/openapi.json", as: nil)
                    #expect(document.status == 200)
                    let isThere = document.text.contains("\\"\\(Self.path)/{id}\\"")
                    #expect(isThere)
                    #expect(try await deployment.get("/docs", as: nil).status == 200)
                }
            }
        }

        """
    }

    private func tests(of service: Name, body: String) -> String {
        """
            private static let body = #"\(body)"#

            @Test func isCreatedReadListedAndDeleted() async throws {
                try await Deployment.run([\(service.type)Service.definition]) { deployment in
                    let created = try await deployment.send(.post, Self.path, json: Self.body)
                    try #require(created.status == 201, "\\(created.text)")
                    let row = "\\(Self.path)/\\(try created.decode(Row.self).id)"
                    #expect(try await deployment.get(row).status == 200)
                    #expect(try await deployment.get(Self.path).decode(Page.self).items.count == 1)
                    #expect(try await deployment.send(.delete, row).status == 204)
                    #expect(try await deployment.get(row).status == 404)
                }
            }

            @Test func otherCompaniesSeeNothingOfIt() async throws {
                try await Deployment.run([\(service.type)Service.definition]) { deployment in
                    let created = try await deployment.send(.post, Self.path, json: Self.body)
                    let row = "\\(Self.path)/\\(try created.decode(Row.self).id)"
                    #expect(try await deployment.get(row, as: .rival).status == 404)
                    #expect(try await deployment.get(Self.path, as: .rival).decode(Page.self).items.isEmpty)
                }
            }

            private struct Row: Decodable { let id: String }
            private struct Page: Decodable { let items: [Row] }

        """
    }
}
