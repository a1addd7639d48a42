package import Values

/// A product as the API shows it.
package struct ProductView: Codable, Hashable, Sendable {
    package var productID: String
    package var name: String
    package var category: String
    package var price: Money
    package var stockCount: Int?
    package var description: String?
    package var manufacturer: String?

    package init(
        productID: String, name: String, category: String, price: Money, stockCount: Int? = nil,
        description: String? = nil, manufacturer: String? = nil
    ) {
        self.productID = productID
        self.name = name
        self.category = category
        self.price = price
        self.stockCount = stockCount
        self.description = description
        self.manufacturer = manufacturer
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case name, category, price
        case stockCount = "stock_count"
        case description, manufacturer
    }
}

/// A page of products.
package struct ProductPage: Codable, Sendable {
    package var items: [ProductView]
    package var total: Int
    package var page: Int
    package var pages: Int
    package var hasNext: Bool
    package var hasPrevious: Bool

    package init(items: [ProductView], total: Int, page: Int, pages: Int, hasNext: Bool, hasPrevious: Bool) {
        self.items = items
        self.total = total
        self.page = page
        self.pages = pages
        self.hasNext = hasNext
        self.hasPrevious = hasPrevious
    }

    private enum CodingKeys: String, CodingKey {
        case items, total, page, pages
        case hasNext = "has_next"
        case hasPrevious = "has_prev"
    }
}

/// What other services ask of the catalog: products by id; unknown ones are missing.
package struct ProductPrices: Codable, Sendable {
    package var items: [ProductView]
    package init(items: [ProductView]) { self.items = items }
}
