internal import PurchaseContracts
internal import ServiceKit

/// Takes in what purchase says has arrived, in one transaction with the inbox.
struct GoodsReceiver: Sendable {
    let stock: StockRepository
    let journal: StockJournal

    /// - Throws: `ProductNotKnownYet` to be asked again later; `PoisonMessage` for goods of another company.
    func take(_ event: GoodsReceived, _ context: MessageContext) async throws {
        guard
            let level = try await stock.lock([event.productID], in: context.transaction)[event.productID]
        else { throw ProductNotKnownYet() }
        guard level.companyID == event.companyID else { throw PoisonMessage("the product is another company's") }
        // The inbox knows messages, this knows receipts: one that was told of twice counts once.
        guard try await !stock.isDone(.receive, for: event.receiptID, in: context.transaction) else { return }
        let main = try await stock.mainLocation(of: event.companyID, in: context.transaction)
        let shelves = try await stock.shelves([event.productID], in: context.transaction)
        try await journal.record(
            .init(kind: .receive, reason: .received, companyID: event.companyID, sourceID: event.receiptID),
            [StockPlan.put(event.quantity, of: event.productID, at: main, shelves)], in: context.transaction)
    }
}

/// The catalog's word of a product comes through another queue: the receipt waits for it, as retries do.
struct ProductNotKnownYet: Error {}
