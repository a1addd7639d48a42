internal import ServiceKit
package import Values

/// One line of an order, with the price that the shopper saw.
package struct OrderItem: Codable, Hashable, Sendable {
    package var productID: String
    package var name: String
    package var price: Money
    package var quantity: Int

    package init(productID: String, name: String, price: Money, quantity: Int) {
        self.productID = productID
        self.name = name
        self.price = price
        self.quantity = quantity
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case name, price, quantity
    }
}

/// What `POST /order-api/orders/` takes.
package struct CreateOrder: Codable, Sendable, StrictKeys {
    package static let allowedKeys = ["items", "total"]

    package var items: [OrderItem]
    package var total: Money

    package init(items: [OrderItem], total: Money) {
        self.items = items
        self.total = total
    }
}

/// Where an order stands.
package enum OrderStatus: String, Codable, CaseIterable, Sendable {
    case created = "CREATED"
    case processing = "PROCESSING"
    case shipping = "SHIPPING"
    case delivered = "DELIVERED"
    case cancelled = "CANCELLED"
}

/// An order as the API shows it.
package struct OrderView: Codable, Sendable {
    package var id: String
    package var userID: String
    package var items: [OrderItem]
    package var total: Money
    package var status: OrderStatus
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, userID: String, items: [OrderItem], total: Money, status: OrderStatus, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.userID = userID
        self.items = items
        self.total = total
        self.status = status
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case userID = "user_id"
        case items, total, status
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
