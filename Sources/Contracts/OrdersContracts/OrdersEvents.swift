internal import ServiceKit
package import Values

/// An order was accepted: the saga begins.
package struct OrderCreated: Event {
    package static let type = "order.created"
    package var orderID: String
    package var userID: String
    package var items: [OrderItem]
    package var total: Money
    package var createdAt: Timestamp
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    package var subject: String { orderID }

    package init(
        orderID: String, userID: String, items: [OrderItem], total: Money, createdAt: Timestamp,
        companyID: String? = nil
    ) {
        self.orderID = orderID
        self.userID = userID
        self.items = items
        self.total = total
        self.createdAt = createdAt
        self.companyID = companyID
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case userID = "user_id"
        case items, total
        case createdAt = "created_at"
        case companyID = "company_id"
    }
}

/// A shopper or an administrator called an order off.
package struct OrderCancelled: Event {
    package static let type = "order.cancelled"
    package var orderID: String
    package var userID: String
    package var total: Money
    package var reason: String
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    package var subject: String { orderID }

    package init(orderID: String, userID: String, total: Money, reason: String, companyID: String? = nil) {
        self.orderID = orderID
        self.userID = userID
        self.total = total
        self.reason = reason
        self.companyID = companyID
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case userID = "user_id"
        case total, reason
        case companyID = "company_id"
    }
}

/// An order moved on.
package struct OrderStatusChanged: Event {
    package static let type = "order.status_changed"
    package var orderID: String
    package var userID: String
    package var status: OrderStatus
    package var previousStatus: OrderStatus?
    package var total: Money
    /// Why it was cancelled, for the customer.
    package var reason: String?
    package var subject: String { orderID }

    package init(
        orderID: String, userID: String, status: OrderStatus, previousStatus: OrderStatus?, total: Money,
        reason: String? = nil
    ) {
        self.orderID = orderID
        self.userID = userID
        self.status = status
        self.previousStatus = previousStatus
        self.total = total
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case userID = "user_id"
        case status
        case previousStatus = "previous_status"
        case total, reason
    }
}
