internal import HTTPCodec
internal import Models
internal import PostgreSQL
internal import PurchaseContracts
internal import ServiceKit

/// What a receipt does, in its own transaction: the line and the order follow, and the warehouse is told.
struct Receiving: Sendable {
    let orders: Manager<PurchaseOrder>
    let lines: Manager<PurchaseOrderLine>
    let outbox: Outbox

    /// - Throws: `HTTPError` 409 for more than was ordered, 422 for a line that is not there.
    func take(_ receipt: inout PurchaseReceipt, _ context: HookContext) async throws {
        let caller = context.caller
        let transaction = context.transaction
        guard let line = try await lines.find(receipt.lineID, as: caller, in: transaction) else {
            throw HTTPError.invalid(
                ["body", "line_id"], "There is no PurchaseOrderLine with this id", type: "reference")
        }
        receipt.orderID = line.orderID
        receipt.productID = line.productID
        let quantity = receipt.quantity
        // The order first: whoever receives or cancels waits for it.
        _ = try await orders.update(line.orderID, as: caller, in: transaction) { [lines] order in
            _ = try await lines.update(line.base.id, as: caller, in: transaction) { try $0.receive(quantity) }
            try order.receive(quantity)
        }
    }

    func tell(_ receipt: PurchaseReceipt, _ context: HookContext) async throws {
        let event = GoodsReceived(
            receiptID: receipt.base.id.description, orderID: receipt.orderID.description,
            companyID: receipt.base.companyID?.description, productID: receipt.productID.description,
            quantity: receipt.quantity)
        try await outbox.append(event, in: context.transaction)
    }

    /// Everything that is still to come has come.
    /// - Parameter receipts: where it is written down.
    static func takeRest(
        of order: PurchaseOrder, _ lines: Manager<PurchaseOrderLine>, _ receipts: Manager<PurchaseReceipt>,
        _ context: HookContext
    ) async throws {
        try order.requireOpen()
        var query = ListQuery()
        query.limit = ListQuery.maxLimit
        query.filter("order_id", .eq, order.base.id.description)
        repeat {
            let page = try await lines.list(query, as: context.caller, in: context.transaction)
            for line in page.items where line.received < line.quantity {
                var receipt = PurchaseReceipt()
                receipt.lineID = line.base.id
                receipt.quantity = line.quantity - line.received
                _ = try await receipts.create(receipt, as: context.caller, in: context.transaction)
            }
            query.cursor = page.nextCursor
        } while query.cursor != nil
    }
}
