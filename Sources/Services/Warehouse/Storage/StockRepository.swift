internal import HTTPCodec
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Reads and writes stock levels. How much there is changes through the journal only.
struct StockRepository: Sendable {
    private static let columns: String = """
        product_id, company_id, name, on_hand, reserved, catalog_revision, catalog_stock_count,
        discontinued_at IS NOT NULL AS is_discontinued
        """

    // MARK: What the catalog says

    /// A product's level, locked until the transaction ends; nil when there is none.
    func lockForCatalog(_ productID: String, in transaction: PostgreSQLTransaction) async throws -> ProductStock? {
        // Serializes news about one product also while there is no row to lock; other keys than those of orders.
        try await transaction.query(
            "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(hashtextextended(\(productID), 1))")
        return try await lock([productID], in: transaction)[productID]
    }

    /// A product of which there is nothing yet.
    func insert(_ level: ProductStock, companyID: String?, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "INSERT stock_levels",
            """
            INSERT INTO stock_levels (id, company_id, product_id, name, on_hand, catalog_revision,
                                      catalog_stock_count, discontinued_at)
            VALUES (\(Identifier.make())::uuid, \(companyID)::uuid, \(level.productID)::uuid, \(level.name), 0,
                    \(level.catalogRevision)::bigint, \(level.catalogStockCount)::int,
                    CASE WHEN \(level.isDiscontinued)::boolean THEN now() END)
            """)
    }

    func follow(_ level: ProductStock, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET name = \(level.name), catalog_revision = \(level.catalogRevision)::bigint,
                                    catalog_stock_count = \(level.catalogStockCount)::int,
                                    discontinued_at = CASE WHEN \(level.isDiscontinued)::boolean THEN now() END
            WHERE product_id = \(level.productID)::uuid
            """)
    }

    // MARK: What orders do

    /// Levels by product, locked in the order of their ids, so that no two orders wait for each other.
    func lock(_ productIDs: [String], in transaction: PostgreSQLTransaction) async throws -> [String: ProductStock] {
        let rows = try await transaction.query(
            "SELECT stock_levels",
            """
            SELECT \(unsafeSQL: Self.columns) FROM stock_levels
            WHERE product_id = ANY(\(productIDs)::uuid[]) ORDER BY product_id FOR UPDATE
            """
        ).rows
        return Dictionary(uniqueKeysWithValues: try rows.map(Self.level).map { ($0.productID, $0) })
    }

    func reserve(_ line: StockLine, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET reserved = reserved + \(line.quantity)::bigint
            WHERE product_id = \(line.productID)::uuid
            """)
    }

    func release(_ line: StockLine, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET reserved = reserved - \(line.quantity)::bigint
            WHERE product_id = \(line.productID)::uuid
            """)
    }

    // MARK: Locations

    /// Where products lie, the oldest location first. Lock the products before.
    func shelves(_ productIDs: [String], in transaction: PostgreSQLTransaction) async throws -> [Shelf] {
        try await transaction.query(
            "SELECT location_levels",
            """
            SELECT product_id, location_id, quantity
            FROM location_levels JOIN locations ON locations.id = location_id
            WHERE product_id = ANY(\(productIDs)::uuid[]) ORDER BY locations.lsn
            """
        ).rows.map { row in
            Shelf(
                productID: try row.get("product_id"), locationID: try row.get("location_id"),
                quantity: try row.get("quantity"))
        }
    }

    /// The location where a company's goods lie that nobody has put anywhere else.
    func mainLocation(of companyID: String?, in transaction: PostgreSQLTransaction) async throws -> String {
        for _ in 0..<2 {
            let row = try await transaction.query(
                "SELECT locations",
                """
                SELECT id FROM locations
                WHERE company_id IS NOT DISTINCT FROM \(companyID)::uuid AND code = \(Location.mainCode)
                """
            ).first
            if let row { return try row.get("id") }
            try await transaction.query(
                "INSERT locations",
                """
                INSERT INTO locations (id, company_id, code, name)
                VALUES (\(Identifier.make())::uuid, \(companyID)::uuid, \(Location.mainCode), 'Main warehouse')
                ON CONFLICT DO NOTHING
                """)
        }
        throw PostgreSQLError.decoding("the main location is neither there nor made")
    }

    // MARK: Operations

    /// The lines of an operation, in the order in which they were written.
    /// - Throws: `HTTPError` 409 when there are none, or too many.
    func lines(of operationID: String, in transaction: PostgreSQLTransaction) async throws -> [StockPlan.Line] {
        let rows = try await transaction.query(
            "SELECT operation_lines",
            """
            SELECT product_id, location_id, to_location_id, quantity FROM operation_lines
            WHERE operation_id = \(operationID)::uuid ORDER BY lsn LIMIT \(Operation.maxLines + 1)
            """
        ).rows
        guard (1...Operation.maxLines).contains(rows.count) else {
            throw HTTPError(.conflict, "operation.lines", "The operation must have 1 to \(Operation.maxLines) lines")
        }
        return try rows.map { row in
            StockPlan.Line(
                productID: try row.get("product_id"), locationID: try row.get("location_id"),
                toLocationID: try row.optional("to_location_id"), quantity: try row.get("quantity"))
        }
    }

    /// Whether something has asked for an operation of this kind before. Lock a product of it before.
    func isDone(_ kind: Operation.Kind, for sourceID: String, in transaction: PostgreSQLTransaction) async throws
        -> Bool
    {
        try await transaction.query(
            "SELECT operations",
            "SELECT 1 FROM operations WHERE source_id = \(sourceID)::uuid AND kind = \(kind.rawValue)"
        ).first != nil
    }

    // MARK: Reading

    /// - Returns: also a product that has left the catalog.
    func level(
        of productID: String, companyID: String?, in database: PostgreSQLClient
    ) async throws -> ProductStock? {
        try await database.query(
            "SELECT stock_levels",
            """
            SELECT \(unsafeSQL: Self.columns) FROM stock_levels
            WHERE product_id = \(productID)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).first.map(Self.level)
    }

    private static func level(_ row: PostgreSQLRow) throws -> ProductStock {
        ProductStock(
            productID: try row.get("product_id"), companyID: try row.optional("company_id"), name: try row.get("name"),
            onHand: try row.get("on_hand"), reserved: try row.get("reserved"),
            catalogRevision: try row.get("catalog_revision"), catalogStockCount: try row.get("catalog_stock_count"),
            isDiscontinued: try row.get("is_discontinued"))
    }
}
