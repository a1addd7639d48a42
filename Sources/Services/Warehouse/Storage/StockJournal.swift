internal import Models
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Writes operations and their movements. A trigger adds movements to the levels, of the product and of the location, so
/// that nothing else can change either: levels and journal agree by construction.
struct StockJournal: Sendable {
    let stock: StockRepository
    let telemetry: WarehouseTelemetry

    /// An operation that the service carries out by itself.
    struct Document: Sendable {
        let kind: Operation.Kind
        let reason: MovementReason
        let companyID: String?
        /// The order or receipt that asks for it: once for each kind.
        var sourceID: String?
        var orderID: String?
    }

    /// Writes down a whole operation with its lines and movements.
    func record(_ document: Document, _ postings: [Posting], in transaction: PostgreSQLTransaction) async throws {
        guard !postings.isEmpty else { return }
        let id = Identifier.make()
        let quantities = postings.map { document.kind == .count ? $0.after : abs($0.quantity) }
        try await transaction.query(
            "INSERT operations",
            """
            WITH operation AS (
                INSERT INTO operations (id, company_id, number, kind, state, source_id, completed_at)
                VALUES (\(id)::uuid, \(document.companyID)::uuid, \(id), \(document.kind.rawValue), 'done',
                        \(document.sourceID)::uuid, now())
                RETURNING id, company_id
            ), posting AS (
                SELECT * FROM unnest(
                    \(postings.map(\.productID))::uuid[], \(postings.map(\.locationID))::uuid[],
                    \(postings.map(\.quantity))::bigint[], \(quantities)::bigint[]
                ) AS posting (product_id, location_id, quantity, told)
            ), line AS (
                INSERT INTO operation_lines (id, company_id, operation_id, product_id, location_id, quantity)
                SELECT gen_random_uuid(), company_id, operation.id, product_id, location_id, told FROM operation, posting
            )
            INSERT INTO stock_movements (id, company_id, operation_id, product_id, location_id, quantity, reason, order_id)
            SELECT gen_random_uuid(), company_id, operation.id, product_id, location_id, quantity,
                   \(document.reason.rawValue)::text, \(document.orderID)::uuid
            FROM operation, posting
            """)
        note(postings, document.reason)
    }

    /// Carries out an operation that somebody has written: all of it or nothing.
    /// - Throws: `HTTPError` 409 when it cannot be done.
    func complete(_ operation: inout Operation, in transaction: PostgreSQLTransaction) async throws {
        try operation.move(to: .done)
        let (id, companyID) = (operation.base.id.description, operation.base.companyID?.description)
        let lines = try await stock.lines(of: id, in: transaction)
        let products = Set(lines.map(\.productID)).sorted()
        let levels = try await stock.lock(products, in: transaction).filter { $0.value.companyID == companyID }
        let postings = try StockPlan.postings(
            of: operation.kind, lines, levels: levels, shelves: try await stock.shelves(products, in: transaction))
        let reason: MovementReason =
            switch operation.kind {
            case .receive: .received
            case .move: .moved
            case .pick: .picked
            case .count: .counted
            }
        try await transaction.query(
            "INSERT stock_movements",
            """
            INSERT INTO stock_movements (id, company_id, operation_id, product_id, location_id, quantity, reason)
            SELECT gen_random_uuid(), \(companyID)::uuid, \(id)::uuid, product_id, location_id, quantity,
                   \(reason.rawValue)::text
            FROM unnest(\(postings.map(\.productID))::uuid[], \(postings.map(\.locationID))::uuid[],
                        \(postings.map(\.quantity))::bigint[]) AS posting (product_id, location_id, quantity)
            """)
        note(postings, reason)
    }

    private func note(_ postings: [Posting], _ reason: MovementReason) {
        for _ in postings { telemetry.noteMovement(reason) }
    }
}
