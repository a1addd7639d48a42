import Synchronization
import Testing

@testable import Scaffold

/// What `vitrine new` writes and refuses, on a tree of a few lines.
@Suite struct DraftTests {
    private static let tree = [
        "Package.swift": "var modelServices: [String] = []\n",
        "Sources/Operations/Wiring/ServiceTable.swift": """
        internal import Cart
        internal import Gateway
        package import ServiceKit
                CartService.definition,
                GatewayService.definition,

        """,
        "Sources/Platform/ServiceKit/Discovery/ServiceDirectory.swift": """
            static let defaultPorts: [String: Int] = [
                "gateway": 8080, "desk": 8020,
            ]

        """,
        "docker-compose.yml": "    GATEWAY_URL: x\nservices:\n  gateway:\n",
        "Sources/Services/Gateway/Domain/RoutingTable.swift": """
            static let platform = RoutingTable([
                Entry("/api/v1/desks", to: "desk", errors: .problem),
            ])

        """,
    ]

    private func scaffold(_ extra: [String: String] = [:]) -> Scaffold {
        let files = Self.tree.merging(extra) { $1 }
        return Scaffold { files[$0] }
    }

    private func assets(_ fields: [String] = ModelDraft.usualFields, port: Int = 8021) throws -> ServiceDraft {
        let name = try Name("assets", of: "service")
        return try ServiceDraft(name, port: port, model: ModelDraft(name.singular, fields: fields))
    }

    private func text(_ scaffold: Scaffold, _ path: String) throws -> String {
        try #require(scaffold.changes.first { $0.path == path }).text
    }

    @Test func aServiceIsWiredWhereverServicesAreListed() throws {
        var scaffold = scaffold()
        try scaffold.add(try assets())
        #expect(try text(scaffold, "Package.swift").contains("modelServices.append(\"Assets\")\n"))
        let table = try text(scaffold, "Sources/Operations/Wiring/ServiceTable.swift")
        #expect(table.hasPrefix("internal import Assets\ninternal import Cart\n"))
        #expect(table.contains("        AssetsService.definition,\n        GatewayService.definition,"))
        #expect(
            try text(scaffold, "Sources/Platform/ServiceKit/Discovery/ServiceDirectory.swift")
                .contains("        \"assets\": 8021,\n    ]"))
        #expect(
            try text(scaffold, "Sources/Services/Gateway/Domain/RoutingTable.swift")
                .contains("Entry(\"/api/v1/assets\", to: \"assets\", errors: .problem),\n    ])"))
        #expect(try text(scaffold, "docker-compose.yml").contains("command: [\"run\", \"assets\"]"))
        #expect(scaffold.changes.filter(\.isNew).count == 4)
    }

    @Test func aSecondModelIsTheNextMigrationAndMayReferToTheFirst() throws {
        var first = scaffold()
        try first.add(try assets())
        var second = scaffold(Dictionary(uniqueKeysWithValues: first.changes.map { ($0.path, $0.text) }))
        let service = try Name("assets", of: "service")
        let known = second
        let check = try ModelDraft(
            Name("asset-check", of: "model"), fields: ["asset_id:ref(asset)", "done:bool?"],
            table: { known.table(of: $0, in: service) })
        try second.add(check, to: service)
        let definition = try text(second, "Sources/Services/Assets/AssetsService.swift")
        #expect(
            definition.contains("Migration(2, \"create_asset_checks\", PackageResources._002_create_asset_checks_sql),")
        )
        #expect(definition.contains("models.resource(AssetCheck.self, at: \"/api/v1/asset-checks\""))
        let migration = try text(second, "Sources/Services/Assets/Storage/Migrations/0002_create_asset_checks.sql")
        #expect(migration.contains("FOREIGN KEY (asset_id) REFERENCES assets(id)"))
        #expect(migration.contains("    done boolean,\n"))
        #expect(
            try text(second, "Sources/Services/Assets/Domain/AssetCheck.swift").contains(
                "package var assetID = ID.none"))
    }

    @Test(arguments: [
        ("title", "is no field"), ("title:words", "is no type"), ("title:line,unik", "is no trait"),
        ("id:int", "meaning of its own"), ("default:int", "meaning of its own"), ("état:int", "is no name"),
        ("x:choice(one)", "two choices"), ("x:ref(Nobody)", "has not"), ("x:int,searchable", "cannot be searched"),
        ("x:line,searchable,sensitive", "cannot be searched"),
    ])
    func aFieldThatCannotBeIsRefusedInWords(_ field: String, _ words: String) throws {
        let error = #expect(throws: ScaffoldError.self) { try assets([field]) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func whatIsTakenIsRefusedAndNothingIsHalfDone() throws {
        var scaffold = scaffold()
        #expect(throws: ScaffoldError.self) { try scaffold.add(try assets(port: 8020)) }
        #expect(try scaffold.freePort() == 8021)
        #expect(throws: ScaffoldError.self) { try assets(["a:int", "a:line"]) }
        var taken = self.scaffold(["Sources/Services/Assets/AssetsService.swift": "mine"])
        #expect(throws: ScaffoldError.self) { try taken.add(try assets()) }
        #expect(taken.changes.isEmpty)
        var other = self.scaffold(["Sources/Operations/Wiring/ServiceTable.swift": "import A\n"])
        let error = #expect(throws: ScaffoldError.self) { try other.add(try assets()) }
        #expect(error?.description.contains("AssetsService.definition,") == true)
    }

    @Test(arguments: [
        ("categories", "category"), ("boxes", "box"), ("assets", "asset"), ("address", "address"), ("days", "day"),
    ])
    func namesBecomeOneAndMany(_ many: String, _ one: String) throws {
        let name = try Name(one, of: "model")
        #expect(try Name(many, of: "model").singular == name)
        if many != one { #expect(name.plural == (try Name(many, of: "model"))) }
    }
}
