internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Reads and writes stock levels and their movements.
struct StockRepository: Sendable {
    let telemetry: WarehouseTelemetry

    private static let columns: String = """
        product_id, name, on_hand, reserved, catalog_revision, catalog_stock_count,
        discontinued_at IS NOT NULL AS is_discontinued
        """

    // MARK: What the catalog says

    /// A product's level, locked until the transaction ends; nil when there is none.
    func lockForCatalog(_ productID: String, in transaction: PostgreSQLTransaction) async throws -> StockLevel? {
        // Serializes news about one product also while there is no row to lock; other keys than those of orders.
        try await transaction.query(
            "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(hashtextextended(\(productID), 1))")
        return try await lock([productID], in: transaction)[productID]
    }

    func insert(_ level: StockLevel, companyID: String?, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "INSERT stock_levels",
            """
            INSERT INTO stock_levels (id, company_id, product_id, name, on_hand, catalog_revision,
                                      catalog_stock_count, discontinued_at)
            VALUES (\(Identifier.make())::uuid, \(companyID)::uuid, \(level.productID)::uuid, \(level.name),
                    \(level.onHand)::int, \(level.catalogRevision)::bigint, \(level.catalogStockCount)::int,
                    CASE WHEN \(level.isDiscontinued)::boolean THEN now() END)
            """)
        if level.onHand != 0 {
            try await move(level.productID, by: level.onHand, .initial, orderID: nil, in: transaction)
        }
    }

    func follow(_ level: StockLevel, movement: Int, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET name = \(level.name), on_hand = \(level.onHand)::int,
                                    catalog_revision = \(level.catalogRevision)::bigint,
                                    catalog_stock_count = \(level.catalogStockCount)::int,
                                    discontinued_at = CASE WHEN \(level.isDiscontinued)::boolean THEN now() END,
                                    updated_at = now()
            WHERE product_id = \(level.productID)::uuid
            """)
        if movement != 0 { try await move(level.productID, by: movement, .adjusted, orderID: nil, in: transaction) }
    }

    // MARK: What orders do

    /// Levels by product, locked in the order of their ids, so that no two orders wait for each other.
    func lock(_ productIDs: [String], in transaction: PostgreSQLTransaction) async throws -> [String: StockLevel] {
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
            UPDATE stock_levels SET reserved = reserved + \(line.quantity)::int, updated_at = now()
            WHERE product_id = \(line.productID)::uuid
            """)
    }

    func release(_ line: StockLine, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET reserved = reserved - \(line.quantity)::int, updated_at = now()
            WHERE product_id = \(line.productID)::uuid
            """)
    }

    /// What was set aside leaves.
    func commit(_ line: StockLine, orderID: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET reserved = reserved - \(line.quantity)::int, on_hand = on_hand - \(line.quantity)::int,
                                    updated_at = now()
            WHERE product_id = \(line.productID)::uuid
            """)
        try await move(line.productID, by: -line.quantity, .sold, orderID: orderID, in: transaction)
    }

    /// What had left comes back.
    func takeBack(_ line: StockLine, orderID: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET on_hand = on_hand + \(line.quantity)::int, updated_at = now()
            WHERE product_id = \(line.productID)::uuid
            """)
        try await move(line.productID, by: line.quantity, .returned, orderID: orderID, in: transaction)
    }

    private func move(
        _ productID: String, by quantity: Int, _ reason: MovementReason, orderID: String?,
        in transaction: PostgreSQLTransaction
    ) async throws {
        try await transaction.query(
            "INSERT stock_movements",
            """
            INSERT INTO stock_movements (id, company_id, product_id, quantity, reason, order_id)
            SELECT \(Identifier.make())::uuid, company_id, product_id, \(quantity)::int, \(reason.rawValue)::text,
                   \(orderID)::uuid
            FROM stock_levels WHERE product_id = \(productID)::uuid
            """)
        telemetry.noteMovement(reason)
    }

    // MARK: Reading

    /// - Returns: also a product that has left the catalog.
    func level(
        of productID: String, companyID: String?, in database: PostgreSQLClient
    ) async throws -> StockLevel? {
        try await database.query(
            "SELECT stock_levels",
            """
            SELECT \(unsafeSQL: Self.columns) FROM stock_levels
            WHERE product_id = \(productID)::uuid AND company_id IS NOT DISTINCT FROM \(companyID)::uuid
            """
        ).first.map(Self.level)
    }

    /// - Returns: what can be ordered or is still there.
    func list(limit: Int, companyID: String?, in database: PostgreSQLClient) async throws -> [StockLevel] {
        try await database.query(
            "SELECT stock_levels",
            """
            SELECT \(unsafeSQL: Self.columns) FROM stock_levels
            WHERE company_id IS NOT DISTINCT FROM \(companyID)::uuid AND (discontinued_at IS NULL OR on_hand > 0)
            ORDER BY lsn LIMIT \(limit)
            """
        ).rows.map(Self.level)
    }

    private static func level(_ row: PostgreSQLRow) throws -> StockLevel {
        StockLevel(
            productID: try row.get("product_id"), name: try row.get("name"), onHand: try row.get("on_hand"),
            reserved: try row.get("reserved"), catalogRevision: try row.get("catalog_revision"),
            catalogStockCount: try row.get("catalog_stock_count"), isDiscontinued: try row.get("is_discontinued"))
    }
}
