internal import OrdersContracts
internal import Values

/// A user's own page: the user, the cart's total, the orders.
struct ShopProfile: Encodable {
    let user: User
    let summary: Purchases.Summary

    init(_ user: User, _ summary: Purchases.Summary) {
        self.user = user
        self.summary = summary
    }

    private enum CodingKeys: String, CodingKey {
        case currentCartTotal = "current_cart_total"
        case orders, unavailable
    }

    func encode(to encoder: any Encoder) throws {
        try ShopRoutes.UserBody(user).encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        // Null when the cart does not answer: that is not an empty cart.
        try container.encode(summary.cartTotal, forKey: .currentCartTotal)
        try container.encode(summary.orders, forKey: .orders)
        if !summary.unavailable.isEmpty { try container.encode(summary.unavailable, forKey: .unavailable) }
    }
}

/// An order in a list of somebody's own.
struct OrderSummary: Codable, Sendable {
    let id: String
    let status: OrderStatus
    let total: Money
    let createdAt: Timestamp

    private enum CodingKeys: String, CodingKey {
        case id, status, total
        case createdAt = "created_at"
    }

    init(_ order: OrderView) {
        id = order.id
        status = order.status
        total = order.total
        createdAt = order.createdAt
    }
}
