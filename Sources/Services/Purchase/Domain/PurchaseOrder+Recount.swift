package import Models
internal import PostgreSQL
internal import ServiceKit
internal import Tasks
internal import Values

/// Work on an order that may take long: it is done by a worker.
extension PurchaseOrder {
    /// Makes total and outstanding pieces what its lines say, for orders whose lines were changed by other means than the
    /// API.
    package static let recount = ModelTask<PurchaseOrder>("recount", of: "purchase", priority: .low)

    /// - Parameter transaction: one that holds the order, so that no line comes or goes meanwhile.
    mutating func recount(in transaction: PostgreSQLTransaction) async throws {
        let row = try await transaction.query(
            "SELECT purchase_order_lines",
            """
            SELECT coalesce(sum(quantity * price), 0)::numeric(18,2) AS total, coalesce(sum(quantity), 0)::int AS pieces
            FROM purchase_order_lines
            WHERE order_id = \(base.id)::uuid AND company_id IS NOT DISTINCT FROM \(base.companyID)::uuid
            """
        ).first
        guard let row else { return }
        total = try row.get("total")
        outstanding = try row.get("pieces")
    }
}
