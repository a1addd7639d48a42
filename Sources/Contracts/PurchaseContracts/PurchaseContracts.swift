internal import ServiceKit

/// Goods that were ordered from a supplier have arrived.
package struct GoodsReceived: Event {
    package static let type = "purchase.received"
    /// The receipt, told of once or many times.
    package var receiptID: String
    package var orderID: String
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    package var productID: String
    package var quantity: Int
    package var subject: String { orderID }

    package init(receiptID: String, orderID: String, companyID: String?, productID: String, quantity: Int) {
        self.receiptID = receiptID
        self.orderID = orderID
        self.companyID = companyID
        self.productID = productID
        self.quantity = quantity
    }

    private enum CodingKeys: String, CodingKey {
        case receiptID = "receipt_id"
        case orderID = "order_id"
        case companyID = "company_id"
        case productID = "product_id"
        case quantity
    }
}
