internal import PostgreSQL
internal import ServiceKit

/// Carries the catalog's news out on the stock, in one transaction with the inbox.
struct CatalogFollower: Sendable {
    let stock: StockRepository
    let journal: StockJournal
    let telemetry: WarehouseTelemetry

    func take(_ news: CatalogNews, _ context: MessageContext) async throws {
        let known = try await stock.lockForCatalog(news.productID, in: context.transaction)
        switch news.step(from: known) {
        case .ignore: return
        case .introduce(var level):
            level.companyID = news.companyID
            try await stock.insert(level, companyID: news.companyID, in: context.transaction)
            try await count(level, movement: level.onHand, .initial, in: context.transaction)
            telemetry.noteLevel(level, movement: level.onHand)
        case .follow(let level, let movement):
            try await stock.follow(level, in: context.transaction)
            try await count(level, movement: movement, .adjusted, in: context.transaction)
            telemetry.noteLevel(level, movement: movement)
        }
    }

    /// What the catalog has counted more lies at the main location; what it misses is missing where goods lie.
    private func count(
        _ level: ProductStock, movement: Int, _ reason: MovementReason, in transaction: PostgreSQLTransaction
    ) async throws {
        guard movement != 0 else { return }
        let shelves = try await stock.shelves([level.productID], in: transaction)
        let postings: [Posting]
        if movement > 0 {
            let main = try await stock.mainLocation(of: level.companyID, in: transaction)
            postings = [StockPlan.put(movement, of: level.productID, at: main, shelves)]
        } else {
            postings = StockPlan.draw(-movement, of: level.productID, from: shelves)
        }
        try await journal.record(
            .init(kind: .count, reason: reason, companyID: level.companyID), postings, in: transaction)
    }
}
