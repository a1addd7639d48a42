internal import ServiceKit

/// Carries the catalog's news out on the stock, in one transaction with the inbox.
struct CatalogFollower: Sendable {
    let stock: StockRepository
    let telemetry: WarehouseTelemetry

    func take(_ news: CatalogNews, _ context: MessageContext) async throws {
        let known = try await stock.lockForCatalog(news.productID, in: context.transaction)
        switch news.step(from: known) {
        case .ignore: return
        case .introduce(let level):
            try await stock.insert(level, companyID: news.companyID, in: context.transaction)
            telemetry.noteLevel(level, movement: level.onHand)
        case .follow(let level, let movement):
            try await stock.follow(level, movement: movement, in: context.transaction)
            telemetry.noteLevel(level, movement: movement)
        }
    }
}
