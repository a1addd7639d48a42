package import Values

/// One line of a cart.
package struct CartItemView: Codable, Hashable, Sendable {
    package var id: String
    package var productID: String
    package var name: String
    package var price: Money
    package var quantity: Int
    package var totalPrice: Money

    package init(id: String, productID: String, name: String, price: Money, quantity: Int, totalPrice: Money) {
        self.id = id
        self.productID = productID
        self.name = name
        self.price = price
        self.quantity = quantity
        self.totalPrice = totalPrice
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case productID = "product_id"
        case name, price, quantity
        case totalPrice = "total_price"
    }
}

/// A cart as the API shows it.
package struct CartView: Codable, Sendable {
    package var items: [CartItemView]
    package var total: Money

    package init(items: [CartItemView], total: Money) {
        self.items = items
        self.total = total
    }
}
