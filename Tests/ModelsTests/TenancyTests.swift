import PostgreSQL
import HTTPCodec
import Models
import ServiceTesting
import Testing

@testable import Models

/// Nothing that a company asks for, in whatever way, shows or touches another's rows, or tells that they are there.
@Suite struct TenancyTests {
    private static let secret = "SECRET-1"

    private func gadget(_ code: String, shelf: String? = nil) -> String {
        """
        {"code":"\(code)","name":"Name of \(code)","notes":"Notes of \(code)","count":4242,"price":98.76,\
        "made_at":"2026-01-31T12:00:00Z","maker_id":"11111111-2222-4333-8444-555555555555"\
        \(shelf.map { ",\"shelf_id\":\"\($0)\"" } ?? "")}
        """
    }

    private func member(_ reply: Reply, _ name: String) throws -> JSONNode {
        try #require(try JSONNode(whole: reply.bytes).members().first { $0.name == name }?.value, "\(reply.text)")
    }

    /// One answer without what differs from request to request.
    private func shape(_ reply: Reply) throws -> String {
        let parts = try JSONNode(whole: reply.bytes).members().filter { !["trace_id", "request_id"].contains($0.name) }
        return "\(reply.status) " + parts.map { "\($0.name)=\($0.value.text)" }.joined(separator: " ")
    }

    @Test func noWayOfAskingLeaksAnothersRows() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let shelf = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"hidden"}"#)
            let shelfID = try #require(try member(shelf, "id").string)
            let theirs = try await shop.send(
                .post, "/api/v1/gadgets", json: gadget(Self.secret, shelf: shelfID))
            try #require(theirs.status == 201, "\(theirs.text)")
            let id = try #require(try member(theirs, "id").string)
            let lsn = try member(theirs, "lsn").text
            let own = try await shop.send(.post, "/api/v1/gadgets", as: .rival, json: gadget("OWN-1"))
            #expect(own.status == 201)

            // By id, in every method: the same answer as for an id that never was.
            let nobody = "99999999-0000-4000-8000-000000000000"
            for (method, suffix, body) in [
                (HTTPMethod.get, "", nil), (.delete, "", nil), (.patch, "", "{}"), (.put, "", gadget("OWN-9")),
                (.post, "/check", nil),
            ] as [(HTTPMethod, String, String?)] {
                let body =
                    method == .put
                    ? body?.replacing(#","maker_id":"11111111-2222-4333-8444-555555555555""#, with: "") : body
                for headers in [[:], ["if-match": "*"], ["if-match": theirs.headers["etag"] ?? ""]] {
                    let known = try await shop.send(
                        method, "/api/v1/gadgets/\(id)\(suffix)", as: .rival, headers: headers, json: body)
                    let unknown = try await shop.send(
                        method, "/api/v1/gadgets/\(nobody)\(suffix)", as: .rival, headers: headers, json: body)
                    #expect(known.status == 404, "\(method.name) \(known.text)")
                    #expect(try shape(known) == (try shape(unknown)))
                }
            }

            // By every filter that matches it, by search, by order.
            var questions = [
                "", "search=SECRET", "search=Name", "order_by=code", "order_by=-created_at,name", "direction=desc",
                "id=\(id)", "lsn=\(lsn)", "lsn__gte=0", "code=\(Self.secret)", "code__neq=x", "code__like=%25",
                "name__ilike=%25SECRET%25", "count=4242", "price=98.76", "price__gte=0", "shelf_id=\(shelfID)",
                "shelf_id__isnull=false", "created_at__gte=2000-01-01T00:00:00Z", "id__in=\(id)",
                "id__not_in=\(nobody)",
                "code__not_in=x,y", "shade__isnull=true", "shade__neq=red", "is_live=true", "cursor=0",
            ]
            questions += questions.map { $0 + "&limit=1" }
            for question in questions where question != "&limit=1" {
                let reply = try await shop.get("/api/v1/gadgets?\(question)", as: .rival)
                #expect(reply.status == 200, "\(question): \(reply.text)")
                #expect(!reply.text.contains(Self.secret) && !reply.text.contains(id), "\(question): \(reply.text)")
            }

            // By cursor: another's row is no place to go on from.
            for direction in ["asc", "desc"] {
                let known = try await shop.get(
                    "/api/v1/gadgets?order_by=code&direction=\(direction)&cursor=\(lsn)", as: .rival)
                let unknown = try await shop.get(
                    "/api/v1/gadgets?order_by=code&direction=\(direction)&cursor=999999", as: .rival)
                #expect(known.status == 422)
                #expect(try shape(known) == (try shape(unknown)))
            }

            // By reference and by uniqueness: another's values are free, another's rows are not there.
            let mine = try await shop.send(.post, "/api/v1/gadgets", as: .rival, json: gadget(Self.secret))
            #expect(mine.status == 201)
            let known = try await shop.send(
                .post, "/api/v1/gadgets", as: .rival, json: gadget("OWN-2", shelf: shelfID))
            let unknown = try await shop.send(
                .post, "/api/v1/gadgets", as: .rival, json: gadget("OWN-2", shelf: nobody))
            #expect(known.status == 422)
            #expect(try shape(known) == (try shape(unknown)))

            // By naming the company.
            for company in [Person.alpha, "all", "platform"] {
                #expect(try await shop.get("/api/v1/gadgets?company=\(company)", as: .rival).status == 403)
                #expect(
                    try await shop.send(
                        .post, "/api/v1/gadgets?company=\(company)", as: .rival, json: gadget("OWN-3")
                    ).status == 403)
            }
            #expect(try await shop.get("/api/v1/gadgets?company_id=\(Person.alpha)", as: .rival).status == 422)

            // Nothing of it was touched.
            #expect(try await shop.get("/api/v1/gadgets/\(id)").bytes == theirs.bytes)
        }
    }

    @Test func aSuperuserCrossesOnlyWhenTheySaySo() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let theirs = try await shop.send(.post, "/api/v1/gadgets", json: gadget("A-1"))
            let id = try #require(try member(theirs, "id").string)
            #expect(try await shop.get("/api/v1/gadgets/\(id)", as: .superuser).status == 404)
            #expect(try await shop.get("/api/v1/gadgets", as: .superuser).text.hasSuffix(#""count":0}"#))
            for company in ["all", Person.alpha] {
                #expect(try await shop.get("/api/v1/gadgets/\(id)?company=\(company)", as: .superuser).status == 200)
                #expect(
                    try await shop.get("/api/v1/gadgets?company=\(company)", as: .superuser).text.hasSuffix(
                        #""count":1}"#))
            }
            #expect(try await shop.get("/api/v1/gadgets/\(id)?company=\(Person.beta)", as: .superuser).status == 404)
            // A row is somebody's: for everybody's company there is none to create it in.
            let nowhere = try await shop.send(
                .post, "/api/v1/gadgets?company=all", as: .superuser, json: gadget("A-2"))
            #expect(nowhere.status == 422)
            let there = try await shop.send(
                .post, "/api/v1/gadgets?company=\(Person.beta)", as: .superuser, json: gadget("A-2"))
            #expect(try member(there, "company_id").string == Person.beta)
            // A change stays in the row's company.
            let changed = try await shop.send(
                .patch, "/api/v1/gadgets/\(id)?company=all", as: .superuser, json: #"{"count":5}"#)
            #expect(try member(changed, "company_id").string == Person.alpha)
        }
    }

    @Test func anIdentityWithoutACompanySeesThePlatformsRowsOnly() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let staff = Person(roles: ["manager"], company: nil)
            _ = try await shop.send(.post, "/api/v1/gadgets", json: gadget("A-1"))
            let own = try await shop.send(.post, "/api/v1/gadgets", as: staff, json: gadget("P-1"))
            #expect(try member(own, "company_id").text == "null")
            let list = try await shop.get("/api/v1/gadgets", as: staff)
            #expect(list.text.contains("P-1") && !list.text.contains("A-1"))
            #expect(!(try await shop.get("/api/v1/gadgets")).text.contains("P-1"))
            let broken = Person(roles: ["manager"], company: "not a company")
            #expect(try await shop.get("/api/v1/gadgets", as: broken).status == 403)
        }
    }

    @Test func noStatementIsMadeWithoutATenant() throws {
        let company = try #require(ID(Person.alpha))
        for (tenant, scope) in [
            (Tenant.company(company), "WHERE company_id = $1::uuid"), (.company(nil), "WHERE company_id IS NULL"),
        ] {
            #expect(ScopedStatement.select("1", from: "t", tenant).sql().text.contains(scope))
            #expect(ScopedStatement.delete(from: "t", tenant).sql().text.contains(scope))
            var query = ListQuery()
            query.cursor = 3
            query.search = "a"
            query.filter("code", .neq, "x")
            let list = try ListStatement(schema: Gadget.schema, query: query, tenant: tenant).sql()
            #expect(list.text.contains("FROM gadgets \(scope) AND "))
            // No OR stands outside of parentheses: nothing can widen the scope.
            var depth = 0
            var outside = ""
            for character in list.text {
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
                if depth == 0 { outside.append(character) }
            }
            #expect(!outside.contains(" OR "))
        }
    }
}
