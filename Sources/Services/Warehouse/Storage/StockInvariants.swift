internal import PostgreSQL
internal import ServiceKit

/// I3: no stock below zero, nothing set aside that is not there, and movements that add up to the stock.
struct StockInvariants: Sendable {
    let database: PostgreSQLClient

    /// A product may have many movements: only so many products at each look.
    static let rows = 50

    @Sendable func levels(after lsn: Int64, limit: Int) async throws -> [InvariantCheck.Row] {
        try await database.query(
            "SELECT stock_levels",
            """
            SELECT lsn, product_id,
                   CASE WHEN on_hand < 0 THEN 'the stock is negative'
                        WHEN reserved < 0 OR reserved > on_hand THEN 'more is set aside than is there'
                        WHEN on_hand <> (SELECT coalesce(sum(quantity), 0) FROM stock_movements
                                         WHERE stock_movements.product_id = levels.product_id)
                        THEN 'movements do not add up to the stock'
                        WHEN on_hand <> (SELECT coalesce(sum(quantity), 0) FROM location_levels
                                         WHERE location_levels.product_id = levels.product_id)
                        THEN 'locations do not add up to the stock'
                   END AS problem
            FROM (SELECT lsn, product_id, on_hand, reserved FROM stock_levels
                  WHERE lsn > \(fragment: InvariantCheck.start(lsn, in: "stock_levels"))
                  ORDER BY lsn LIMIT \(limit)::int) AS levels
            ORDER BY lsn
            """
        ).rows.map {
            .init(lsn: try $0.get("lsn"), subject: try $0.get("product_id"), problem: try $0.optional("problem"))
        }
    }
}
