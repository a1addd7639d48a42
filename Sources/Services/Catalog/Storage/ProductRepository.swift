internal import CatalogContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Reads and writes products; every statement names the tenant.
struct ProductRepository: Sendable {
    let database: PostgreSQLClient

    func list(_ query: ProductQuery) async throws -> (items: [ProductView], total: Int) {
        let filter: SQL = """
            company_id IS NOT DISTINCT FROM \(query.companyID)::uuid
            AND (\(query.category)::text IS NULL OR category = \(query.category))
            AND (\(query.minPrice)::numeric IS NULL OR price >= \(query.minPrice)::numeric)
            AND (\(query.maxPrice)::numeric IS NULL OR price <= \(query.maxPrice)::numeric)
            """
        // Column and direction are chosen here, never taken from the client.
        let direction = query.isDescending ? "DESC" : "ASC"
        let rows = try await database.query(
            "SELECT products",
            """
            SELECT \(unsafeSQL: Self.columns) FROM products WHERE \(fragment: filter)
            ORDER BY \(unsafeSQL: query.order.rawValue) \(unsafeSQL: direction), lsn \(unsafeSQL: direction)
            OFFSET \(query.skip) LIMIT \(query.limit)
            """
        ).rows
        let total = try await database.query(
            "SELECT products", "SELECT count(*) AS total FROM products WHERE \(fragment: filter)"
        ).first?.get("total", as: Int.self)
        return (try rows.map(Self.product), total ?? 0)
    }

    func find(_ id: String, companyID: String?) async throws -> ProductView? {
        try await database.query(
            "SELECT products",
            """
            SELECT \(unsafeSQL: Self.columns) FROM products
            WHERE id = \(id)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).first.map(Self.product)
    }

    func find(_ ids: [String], companyID: String?) async throws -> [ProductView] {
        try await database.query(
            "SELECT products",
            """
            SELECT \(unsafeSQL: Self.columns) FROM products
            WHERE id = ANY(\(ids)::uuid[]) AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).rows.map(Self.product)
    }

    func categories(companyID: String?) async throws -> [(name: String, count: Int)] {
        try await database.query(
            "SELECT products",
            """
            SELECT category, count(*) AS products FROM products
            WHERE company_id IS NOT DISTINCT FROM \(companyID)::uuid GROUP BY category ORDER BY category
            """
        ).rows.map { (try $0.get("category"), try $0.get("products")) }
    }

    /// Its revision is 1.
    func insert(_ product: ProductView, companyID: String?, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "INSERT products",
            """
            INSERT INTO products (id, company_id, name, category, price, stock_count, description, manufacturer)
            VALUES (\(product.productID)::uuid, \(companyID)::uuid, \(product.name), \(product.category),
                    \(product.price)::numeric, \(product.stockCount ?? 0)::int, \(product.description),
                    \(product.manufacturer))
            """)
    }

    /// - Returns: the product's new revision; nil when there is no such product.
    func update(
        _ product: ProductView, companyID: String?, in transaction: PostgreSQLTransaction
    ) async throws -> Int? {
        try await transaction.query(
            "UPDATE products",
            """
            UPDATE products SET name = \(product.name), category = \(product.category),
                                price = \(product.price)::numeric, stock_count = \(product.stockCount ?? 0)::int,
                                description = \(product.description), manufacturer = \(product.manufacturer),
                                revision = revision + 1, updated_at = now()
            WHERE id = \(product.productID)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            RETURNING revision
            """
        ).first?.get("revision", as: Int.self)
    }

    /// - Returns: a revision above every one that the product had; nil when there is no such product.
    func delete(_ id: String, companyID: String?, in transaction: PostgreSQLTransaction) async throws -> Int? {
        try await transaction.query(
            "DELETE products",
            """
            DELETE FROM products
            WHERE id = \(id)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            RETURNING revision + 1 AS revision
            """
        ).first?.get("revision", as: Int.self)
    }

    private static let columns = "id, name, category, price, stock_count, description, manufacturer"

    private static func product(_ row: PostgreSQLRow) throws -> ProductView {
        ProductView(
            productID: try row.get("id"), name: try row.get("name"), category: try row.get("category"),
            price: try row.get("price"), stockCount: try row.get("stock_count"),
            description: try row.optional("description"), manufacturer: try row.optional("manufacturer"))
    }
}
