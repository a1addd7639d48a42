import Models
import PostgreSQL
import ServiceKit
import Testing

@testable import Models

/// A page costs the same wherever it lies: no statement of a list reads rows that it does not give out.
@Suite struct PageCostTests {
    private static let rows = 60_000

    private func fill(_ database: PostgreSQLClient) async throws {
        // Three companies' rows mixed, the platform's own among them.
        try await database.query(
            "INSERT gadgets",
            """
            INSERT INTO gadgets (id, company_id, code, name, count, price, colour, is_live, made_at, maker_id, checks)
            SELECT gen_random_uuid(),
                   CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN \(Person.alpha)::uuid ELSE \(Person.beta)::uuid END,
                   'G-' || n, 'name ' || (n * 7919 % 1000), n, 1, 'red', true, now(), gen_random_uuid(), 0
            FROM generate_series(1, \(Self.rows)::int) AS n
            """)
        try await database.script("VACUUM ANALYZE", "VACUUM ANALYZE gadgets")
    }

    /// Pages of memory that a statement touches.
    private func pages(_ sql: SQL, _ database: PostgreSQLClient) async throws -> Int {
        var explained = SQL(
            unsafeSQL: "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) " + sql.text, parameters: sql.parameters)
        explained.isPrepared = false
        var pages = 0
        let plan = try await database.query("EXPLAIN", explained).rows.map { try $0.get("QUERY PLAN", as: String.self) }
        for line in plan where line.contains("Buffers: ") {
            for word in line.split(whereSeparator: { " =".contains($0) }) {
                if let number = Int(word) { pages += number }
            }
            // The first line counts what is below it, too.
            break
        }
        return pages
    }

    @Test func theLastPageCostsWhatTheFirstDoes() async throws {
        try await Deployment.run([Samples.service]) { (shop) async throws in
            let database = try shop.database("workshop")
            try await fill(database)
            for tenant in [Tenant.company(ID(Person.alpha)), .company(nil), .every] {
                for order in [nil, "name", "lsn"] where order != "name" || tenant != .every {
                    for isDescending in [false, true] {
                        try await check(tenant, order, isDescending, database)
                    }
                }
            }
        }
    }

    /// Compares the first page with pages a tenth, half and nine tenths of the way down.
    private func check(_ tenant: Tenant, _ order: String?, _ isDescending: Bool, _ database: PostgreSQLClient)
        async throws
    {
        var query = ListQuery()
        query.isDescending = isDescending
        if let order { query.order(by: order, descending: isDescending) }
        let first = try await pages(
            try ListStatement(schema: Gadget.schema, query: query, tenant: tenant).sql(), database)
        for tenths in [1, 5, 9] {
            let row = try #require(
                try await database.query(
                    "SELECT gadgets",
                    """
                    SELECT lsn, name FROM gadgets ORDER BY \(unsafeSQL: order ?? "lsn") \
                    \(unsafeSQL: isDescending ? "DESC" : "ASC")
                    OFFSET \(Self.rows * tenths / 10) LIMIT 1
                    """
                ).first)
            query.cursor = try row.get("lsn", as: Int.self)
            let value = order.map { $0 == "name" ? "name" : "lsn" }
            let last = try value.map { [PostgreSQLParameter(try row.get($0, as: String.self))] } ?? []
            let later = try await pages(
                try ListStatement(schema: Gadget.schema, query: query, tenant: tenant).sql(after: last), database)
            #expect(later <= first * 3 / 2 + 10, "\(tenant) by \(order ?? "lsn") at \(tenths): \(first), \(later)")
        }
    }
}
