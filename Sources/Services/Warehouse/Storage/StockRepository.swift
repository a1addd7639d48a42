internal import PostgreSQL
internal import ServiceKit
internal import Values
internal import WarehouseContracts

/// Reads and writes stock levels and their movements.
struct StockRepository: Sendable {
    // MARK: Levels

    /// A product's first stock; known products are left alone.
    func create(
        _ productID: String, name: String, onHand: Int, in transaction: PostgreSQLTransaction
    ) async throws {
        let isNew =
            try await transaction.query(
                "INSERT stock_levels",
                """
                INSERT INTO stock_levels (id, product_id, name, on_hand)
                VALUES (\(Identifier.make())::uuid, \(productID)::uuid, \(name), \(onHand)::int)
                ON CONFLICT (product_id) DO NOTHING
                """
            ).count > 0
        if isNew, onHand != 0 {
            try await move(productID, by: onHand, reason: "initial", orderID: nil, in: transaction)
        }
    }

    /// Sets the stock to a count, never below what is set aside.
    func adjust(
        _ productID: String, name: String, to onHand: Int, in transaction: PostgreSQLTransaction
    ) async throws {
        guard let level = try await lock([productID], in: transaction)[productID] else {
            return try await create(productID, name: name, onHand: onHand, in: transaction)
        }
        let difference = max(onHand, level.reserved) - level.onHand
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET name = \(name), on_hand = on_hand + \(difference)::int, updated_at = now()
            WHERE product_id = \(productID)::uuid
            """)
        if difference != 0 {
            try await move(productID, by: difference, reason: "adjusted", orderID: nil, in: transaction)
        }
    }

    func rename(_ productID: String, to name: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            "UPDATE stock_levels SET name = \(name), updated_at = now() WHERE product_id = \(productID)::uuid")
    }

    /// Levels by product, locked in the order of their ids, so that no two orders wait for each other.
    func lock(
        _ productIDs: [String], in transaction: PostgreSQLTransaction
    ) async throws -> [String: StockLevelView] {
        let rows = try await transaction.query(
            "SELECT stock_levels",
            """
            SELECT product_id, name, on_hand, reserved FROM stock_levels
            WHERE product_id = ANY(\(productIDs)::uuid[]) ORDER BY product_id FOR UPDATE
            """
        ).rows
        return Dictionary(uniqueKeysWithValues: try rows.map(Self.level).map { ($0.productID, $0) })
    }

    // MARK: What orders do

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
        try await move(line.productID, by: -line.quantity, reason: "sold", orderID: orderID, in: transaction)
    }

    /// What had left comes back.
    func takeBack(_ line: StockLine, orderID: String, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE stock_levels",
            """
            UPDATE stock_levels SET on_hand = on_hand + \(line.quantity)::int, updated_at = now()
            WHERE product_id = \(line.productID)::uuid
            """)
        try await move(line.productID, by: line.quantity, reason: "returned", orderID: orderID, in: transaction)
    }

    private func move(
        _ productID: String, by quantity: Int, reason: String, orderID: String?,
        in transaction: PostgreSQLTransaction
    ) async throws {
        try await transaction.query(
            "INSERT stock_movements",
            """
            INSERT INTO stock_movements (id, product_id, quantity, reason, order_id)
            VALUES (\(Identifier.make())::uuid, \(productID)::uuid, \(quantity)::int, \(reason), \(orderID)::uuid)
            """)
    }

    // MARK: Reading

    static func level(of productID: String, in database: PostgreSQLClient) async throws -> StockLevelView? {
        try await database.query(
            "SELECT stock_levels",
            "SELECT product_id, name, on_hand, reserved FROM stock_levels WHERE product_id = \(productID)::uuid"
        ).first.map(level)
    }

    static func list(limit: Int, in database: PostgreSQLClient) async throws -> [StockLevelView] {
        try await database.query(
            "SELECT stock_levels",
            "SELECT product_id, name, on_hand, reserved FROM stock_levels ORDER BY lsn LIMIT \(limit)"
        ).rows.map(level)
    }

    private static func level(_ row: PostgreSQLRow) throws -> StockLevelView {
        StockLevelView(
            productID: try row.get("product_id"), name: try row.get("name"), onHand: try row.get("on_hand"),
            reserved: try row.get("reserved"))
    }
}
