import FoundationEssentials
import HTTPCodec
import Models
import PostgreSQL
import ServiceKit
import ServiceTesting
import Testing

@testable import Models

/// The routes of a resource, step by step.
@Suite struct CRUDTests {
    private func tree(_ reply: Reply) throws -> JSONNode { try JSONNode(whole: reply.bytes) }
    private func member(_ reply: Reply, _ name: String) throws -> String? {
        try tree(reply).members().first { $0.name == name }?.value.text
    }
    private func id(_ reply: Reply) throws -> String {
        try #require(try tree(reply).members().first { $0.name == "id" }?.value.string)
    }

    @Test func aRowIsCreatedReadReplacedPatchedAndDeleted() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let created = try await shop.send(.post, "/api/v1/gadgets", json: Samples.gadget)
            try #require(created.status == 201, "\(created.text)")
            let id = try id(created)
            #expect(created.headers["location"] == "/api/v1/gadgets/\(id)")
            #expect(try member(created, "price") == "12.50")
            #expect(try member(created, "colour") == "\"red\"")
            #expect(try member(created, "notes") == "null")
            #expect(try member(created, "made_at") == "\"2026-01-31T12:00:00.000000Z\"")
            #expect(try member(created, "company_id") == "\"\(Person.alpha)\"")
            #expect(!created.text.contains("pin"))

            let read = try await shop.get("/api/v1/gadgets/\(id)")
            #expect(read.status == 200)
            #expect(read.bytes == created.bytes)
            #expect(read.headers["etag"] == created.headers["etag"])

            let patched = try await shop.send(
                .patch, "/api/v1/gadgets/\(id)", json: #"{"notes":"brass","vars":{"bin":7}}"#)
            #expect(patched.status == 200, "\(patched.text)")
            #expect(try member(patched, "notes") == "\"brass\"")
            #expect(try member(patched, "vars") == #"{"bin": 7}"#)
            #expect(try member(patched, "name") == "\"Orrery\"")
            #expect(patched.headers["etag"] != created.headers["etag"])

            let replaced = try await shop.send(
                .put, "/api/v1/gadgets/\(id)",
                json:
                    #"{"code":"G-1","name":"Planetarium","count":4,"price":1e1,"made_at":"2026-01-31T13:00:00+01:00"}"#)
            #expect(replaced.status == 200, "\(replaced.text)")
            #expect(try member(replaced, "notes") == "null")
            #expect(try member(replaced, "vars") == "{}")
            #expect(try member(replaced, "price") == "10.00")
            #expect(try member(replaced, "made_at") == "\"2026-01-31T12:00:00.000000Z\"")
            #expect(try member(replaced, "maker_id") == "\"11111111-2222-4333-8444-555555555555\"")

            let checked = try await shop.send(.post, "/api/v1/gadgets/\(id)/check")
            #expect(try member(checked, "checks") == "1")

            #expect(try await shop.send(.delete, "/api/v1/gadgets/\(id)").status == 204)
            #expect(try await shop.get("/api/v1/gadgets/\(id)").status == 404)
            #expect(try await shop.send(.delete, "/api/v1/gadgets/\(id)").status == 404)
        }
    }

    @Test func whatIsWrongWithABodyIsToldFieldByField() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let reply = try await shop.send(
                .post, "/api/v1/gadgets",
                json: #"{"code":"no spaces","name":"","count":-6,"price":1.005,"checks":9,"company_id":null}"#)
            #expect(reply.status == 422)
            #expect(reply.headers["content-type"] == "application/problem+json")
            for (field, type) in [
                ("code", "string_pattern_mismatch"), ("name", "string_too_short"), ("count", "greater_than_equal"),
                ("price", "decimal_max_places"), ("made_at", "missing"), ("maker_id", "missing"),
                ("checks", "extra_forbidden"), ("company_id", "extra_forbidden"),
            ] {
                let errors = try #require(try tree(reply).members().first { $0.name == "errors" }?.value.elements())
                #expect(
                    errors.contains { $0.text.contains("[\"body\",\"\(field)\"]") && $0.text.contains("\"\(type)\"") },
                    "\(field) \(type): \(reply.text)")
            }
            #expect(try await shop.get("/api/v1/gadgets").text.contains(#""count":0}"#))
        }
    }

    @Test func aBodyOfTooManyFieldsIsRefusedAtOnce() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let fields = (0..<60_000).map { #""f\#($0)":\#($0)"# }.joined(separator: ",")
            let reply = try await shop.send(.post, "/api/v1/shelves", json: "{\(fields)}")
            #expect(reply.status == 422)
            #expect(reply.bytes.count < 1_000)
        }
    }

    @Test func thePageAndTheDocumentAreServedFromHereAlone() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let page = try await shop.get("/docs", as: nil)
            #expect(page.status == 200)
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
            for asset in ["/docs/page.js", "/docs/page.css", "/openapi.json"] {
                #expect(page.text.contains(asset))
                let reply = try await shop.get(asset, as: nil)
                #expect(reply.status == 200)
                #expect(!reply.text.contains("http://") && !reply.text.contains("https://"))
            }
            let document = try await shop.get("/openapi.json", as: nil)
            for word in [
                #""openapi":"3.1.0""#, #""/api/v1/gadgets/{id}""#, "GadgetCreate", "price__gte", "If-Match",
                #""/api/v1/gadgets/{id}/check""#,
            ] { #expect(document.text.contains(word)) }
            // What is hidden or personal is no filter.
            for name in [#""name":"pin""#, #""name":"contact""#, "contact__like"] {
                #expect(!document.text.contains(name))
            }
        }
    }

    /// Something that may have a number, which then is its own.
    private struct Badge: Model {
        var base = Base()
        var serial: String?
        init() {}
        static let schema = Schema<Badge>("badges") { Field("serial", \.serial, .code, .unique) }
    }

    private static func badges(_ sql: String) -> ServiceDefinition {
        ServiceDefinition(
            name: "badges", summary: "badges", port: 0, database: "badges_db",
            migrations: [
                Migration(1, "create_badges", Array("-- up\n\(sql)-- down\n\(Badge.schema.dropTable)".utf8))
            ]
        ) { app in Models(app).resource(Badge.self, at: "/api/v1/badges", .reading(.user, writing: .user)) }
    }

    @Test func whatMayBeMissingIsUniqueWhereItIsThere() async throws {
        try await Deployment.run([Self.badges(Badge.schema.createTable)]) { (shop: Deployment) async throws in
            func create(_ json: String, as person: Person = .manager) async throws -> Int {
                try await shop.send(.post, "/api/v1/badges", as: person, json: json).status
            }
            for _ in 0..<3 { #expect(try await create("{}") == 201) }
            #expect(try await create(#"{"serial":"A-1"}"#) == 201)
            let taken = try await shop.send(.post, "/api/v1/badges", json: #"{"serial":"A-1"}"#)
            #expect(taken.status == 409)
            #expect(taken.text.contains(#""loc":["body","serial"]"#))
            #expect(try await create(#"{"serial":"A-1"}"#, as: .rival) == 201)
            // The platform's own rows are of one company, too.
            #expect(try await create(#"{"serial":"A-1"}"#, as: .superuser) == 201)
            #expect(try await create(#"{"serial":"A-1"}"#, as: .superuser) == 409)
        }
        let lines = Badge.schema.createTable.split(separator: "\n").filter { !$0.contains("UNIQUE INDEX") }
        await #expect(throws: ServiceStartError.self) {
            try await Deployment.run([Self.badges(lines.joined(separator: "\n") + "\n")]) { _ in }
        }
    }

    @Test func aChangeOnAnOldVersionIsRefused() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let created = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"A"}"#)
            let path = "/api/v1/shelves/\(try id(created))"
            let tag = try #require(created.headers["etag"])
            #expect(try await shop.get(path, headers: ["if-none-match": tag]).status == 304)
            let changed = try await shop.send(.put, path, headers: ["if-match": tag], json: #"{"label":"B"}"#)
            #expect(changed.status == 200)
            #expect(try await shop.get(path, headers: ["if-none-match": tag]).status == 200)
            for (method, body) in [(HTTPMethod.put, #"{"label":"C"}"#), (.patch, "{}"), (.delete, nil)] {
                let late = try await shop.send(method, path, headers: ["if-match": tag], json: body)
                #expect(late.status == 412)
            }
            // A weak tag proves nothing (RFC 9110, section 13.1.1).
            let newest = try #require(changed.headers["etag"])
            #expect(try await shop.send(.delete, path, headers: ["if-match": "W/" + newest]).status == 412)
            #expect(try await shop.send(.delete, path, headers: ["if-match": "\"x\", " + newest]).status == 204)
        }
    }

    @Test func oneIdempotencyKeyCreatesOneRow() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let key = ["idempotency-key": "k-1"]
            let first = try await shop.send(.post, "/api/v1/gadgets", headers: key, json: Samples.gadget)
            let again = try await shop.send(.post, "/api/v1/gadgets", headers: key, json: Samples.gadget)
            #expect(first.status == 201)
            #expect(again.status == 201)
            #expect(first.bytes == again.bytes)
            #expect(again.headers["idempotency-replayed"] == "true")
            let other = try await shop.send(
                .post, "/api/v1/gadgets", headers: key, json: Samples.gadget.replacing("G-1", with: "G-2"))
            #expect(other.status == 422)
            // The key is its user's: to another company it means nothing.
            let rival = try await shop.send(
                .post, "/api/v1/gadgets", as: .rival, headers: key, json: Samples.gadget)
            #expect(rival.status == 201)
            #expect(try id(rival) != id(first))
            // What failed may be sent again.
            let retry = ["idempotency-key": "k-2"]
            let taken = try await shop.send(.post, "/api/v1/gadgets", headers: retry, json: Samples.gadget)
            #expect(taken.status == 409)
            _ = try await shop.send(.delete, "/api/v1/gadgets/\(try id(first))")
            #expect(try await shop.send(.post, "/api/v1/gadgets", headers: retry, json: Samples.gadget).status == 201)
        }
    }

    @Test func manyRequestsWithOneKeyAtOnceCreateOneRow() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let replies = try await withThrowingTaskGroup(of: Reply.self) { tasks in
                for _ in 0..<8 {
                    tasks.addTask {
                        try await shop.send(
                            .post, "/api/v1/shelves", headers: ["idempotency-key": "once"], json: #"{"label":"A"}"#)
                    }
                }
                return try await tasks.reduce(into: [Reply]()) { $0.append($1) }
            }
            #expect(Set(replies.map(\.status)).isSubset(of: [201, 409]))
            #expect(try await shop.get("/api/v1/shelves").text.hasSuffix(#""count":1}"#))
        }
    }

    @Test func rolesDecideAndAbsentRoutesAreAbsent() async throws {
        let service = ServiceDefinition(
            name: "workshop", summary: "", port: 0, database: "workshop_db", migrations: Samples.migrations
        ) { app in
            Models(app).resource(
                Shelf.self, at: "/api/v1/shelves", Permissions(list: .open, create: .roles(["manager"])))
        }
        try await Deployment.run([service]) { shop in
            #expect(try await shop.get("/api/v1/shelves", as: nil).status == 200)
            #expect(try await shop.send(.post, "/api/v1/shelves", as: nil, json: "{}").status == 401)
            #expect(try await shop.send(.post, "/api/v1/shelves", as: .clerk, json: "{}").status == 403)
            let created = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"A"}"#)
            #expect(created.status == 201)
            #expect(try await shop.get("/api/v1/shelves/\(try id(created))").status == 404)
            #expect(try await shop.send(.put, "/api/v1/shelves", json: "{}").status == 405)
            #expect(!(try await shop.get("/openapi.json", as: nil)).text.contains("deleteShelf"))
        }
    }

    @Test func hooksChangeRefuseAndUndo() async throws {
        let service = ServiceDefinition(
            name: "workshop", summary: "", port: 0, database: "workshop_db", migrations: Samples.migrations
        ) { app in
            let models = Models(app)
            let shelves = models.local(Shelf.self)
            models.resource(Gadget.self, at: "/api/v1/gadgets", .reading(.user, writing: .user)) { gadgets in
                gadgets.hooks.beforeCreate = { gadget, _ in gadget.checks = 7 }
                gadgets.hooks.afterCreate = { gadget, context in
                    var shelf = Shelf()
                    shelf.label = gadget.code
                    _ = try await shelves.create(shelf, as: context.caller, in: context.transaction)
                    if gadget.name == "cursed" { throw HTTPError(.conflict, "cursed", "no") }
                }
                gadgets.hooks.beforeDelete = { gadget, _ in
                    if gadget.isLive { throw HTTPError(.conflict, "live", "it is live") }
                }
            }
        }
        try await Deployment.run([service]) { shop in
            let created = try await shop.send(.post, "/api/v1/gadgets", json: Samples.gadget)
            #expect(try member(created, "checks") == "7")
            let cursed = Samples.gadget.replacing("G-1", with: "G-2").replacing("Orrery", with: "cursed")
            #expect(try await shop.send(.post, "/api/v1/gadgets", json: cursed).status == 409)
            let shelves = try await shop.database("workshop").query("SELECT", "SELECT count(*) AS n FROM shelves")
            #expect(try shelves.first?.get("n", as: Int.self) == 1)
            #expect(try await shop.send(.delete, "/api/v1/gadgets/\(try id(created))").status == 409)
            #expect(try await shop.get("/api/v1/gadgets/\(try id(created))").status == 200)
        }
    }

    @Test func aRowThatOthersReferToIsNotDeleted() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let shelf = try id(try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"A"}"#))
            let body = Samples.gadget.dropLast() + #","shelf_id":"\#(shelf)"}"#
            #expect(try await shop.send(.post, "/api/v1/gadgets", json: String(body)).status == 201)
            let refused = try await shop.send(.delete, "/api/v1/shelves/\(shelf)")
            #expect(refused.status == 409)
            #expect(refused.text.contains("in_use"))
            let nowhere = body.replacing(shelf, with: "99999999-0000-4000-8000-000000000000").replacing(
                "G-1", with: "G-2")
            let reply = try await shop.send(.post, "/api/v1/gadgets", json: String(nowhere))
            #expect(reply.status == 422)
            #expect(reply.text.contains(#"["body","shelf_id"]"#))
        }
    }

    @Test func theDatabaseKeepsTheBaseColumns() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let created = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"A"}"#)
            let database = try shop.database("workshop")
            for change in ["id = gen_random_uuid()", "created_at = now()", "company_id = NULL", "lsn = DEFAULT"] {
                await #expect(throws: PostgreSQLError.self) {
                    try await database.query("UPDATE shelves", "UPDATE shelves SET \(unsafeSQL: change)")
                }
            }
            try await database.query("UPDATE shelves", "UPDATE shelves SET label = 'B', updated_at = '2000-01-01'")
            let read = try await shop.get("/api/v1/shelves/\(try id(created))")
            #expect(try #require(try member(read, "updated_at")) > (try #require(try member(created, "updated_at"))))
        }
    }

    @Test func aTableThatDoesNotFitItsSchemaStopsTheStart() async throws {
        let old = Shelf.schema.createTable.replacing("    label text NOT NULL", with: "    name text NOT NULL")
            .replacing("(company_id, label)", with: "(company_id, name)")
            .replacing("char_length(label)", with: "char_length(name)")
        let service = ServiceDefinition(
            name: "workshop", summary: "", port: 0, database: "workshop_db",
            migrations: [Migration(1, "create_shelves", Array("-- up\n\(old)-- down\n".utf8))]
        ) { app in Models(app).local(Shelf.self) }
        await #expect {
            try await Deployment.run([service]) { _ in }
        } throws: { error in
            let text = "\(error)"
            return text.contains("the column label is missing") && text.contains("the column name is in no field")
                && text.contains("ALTER TABLE shelves ADD COLUMN label text NOT NULL")
        }
    }
}
