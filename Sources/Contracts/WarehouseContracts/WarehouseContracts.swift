internal import ServiceKit

/// Everything that an order needs is set aside for it.
package struct StockReserved: Event {
    package static let type = "stock.reserved"
    package var orderID: String
    package var subject: String { orderID }
    package init(orderID: String) { self.orderID = orderID }
    private enum CodingKeys: String, CodingKey { case orderID = "order_id" }
}

/// Something that an order needs is not there; nothing was set aside.
package struct StockRejected: Event {
    package static let type = "stock.rejected"
    package var orderID: String
    /// A stable code: `out_of_stock`.
    package var reason: String
    package var productIDs: [String]
    package var subject: String { orderID }

    package init(orderID: String, reason: String, productIDs: [String]) {
        self.orderID = orderID
        self.reason = reason
        self.productIDs = productIDs
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case reason
        case productIDs = "product_ids"
    }
}

/// What was set aside is free again, or has come back.
package struct StockReleased: Event {
    package static let type = "stock.released"
    package var orderID: String
    package var subject: String { orderID }
    package init(orderID: String) { self.orderID = orderID }
    private enum CodingKeys: String, CodingKey { case orderID = "order_id" }
}

/// What was set aside has left the warehouse.
package struct StockCommitted: Event {
    package static let type = "stock.committed"
    package var orderID: String
    package var subject: String { orderID }
    package init(orderID: String) { self.orderID = orderID }
    private enum CodingKeys: String, CodingKey { case orderID = "order_id" }
}

/// The stock of a product as the API shows it.
package struct StockLevelView: Codable, Sendable {
    package var productID: String
    package var name: String
    package var onHand: Int
    package var reserved: Int
    package var available: Int

    package init(productID: String, name: String, onHand: Int, reserved: Int) {
        self.productID = productID
        self.name = name
        self.onHand = onHand
        self.reserved = reserved
        available = onHand - reserved
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case name
        case onHand = "on_hand"
        case reserved, available
    }
}

/// A page of stock levels.
package struct StockLevelPage: Codable, Sendable {
    package var items: [StockLevelView]
    package init(items: [StockLevelView]) { self.items = items }
}
