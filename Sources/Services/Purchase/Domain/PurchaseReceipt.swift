package import Models

/// Goods of one line that have arrived: what was ordered may come in many parts. A receipt never changes; the warehouse
/// hears of it.
package struct PurchaseReceipt: Model {
    package var base = Base()
    package var lineID = ID.none
    package var quantity = 1
    package var note: String?
    package var orderID = ID.none
    package var productID = ID.none

    package init() {}

    package static let schema = Schema<PurchaseReceipt>("purchase_receipts") {
        Field("line_id", \.lineID, .references(PurchaseOrderLine.self))
        Field("quantity", \.quantity, .range(1...1_000_000))
        Field("note", \.note, .text(0...2_000))
        Field("order_id", \.orderID, .references(PurchaseOrder.self), .readOnly)
        Field("product_id", \.productID, .readOnly)
    }
}
