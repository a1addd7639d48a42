internal import ServiceKit
package import Values

/// A product came into the catalog, with the stock that it starts with.
package struct ProductCreated: Event {
    package static let type = "product.created"
    package var productID: String
    package var name: String
    package var category: String
    package var price: Money
    package var stockCount: Int
    package var subject: String { productID }

    package init(productID: String, name: String, category: String, price: Money, stockCount: Int) {
        self.productID = productID
        self.name = name
        self.category = category
        self.price = price
        self.stockCount = stockCount
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case name, category, price
        case stockCount = "stock_count"
    }
}

/// A product changed. `stockCount` is set when the change sets the stock.
package struct ProductUpdated: Event {
    package static let type = "product.updated"
    package var productID: String
    package var name: String
    package var price: Money
    package var stockCount: Int?
    package var subject: String { productID }

    package init(productID: String, name: String, price: Money, stockCount: Int?) {
        self.productID = productID
        self.name = name
        self.price = price
        self.stockCount = stockCount
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case name, price
        case stockCount = "stock_count"
    }
}

/// A product left the catalog. Its stock stays where it is.
package struct ProductDeleted: Event {
    package static let type = "product.deleted"
    package var productID: String
    package var subject: String { productID }

    package init(productID: String) { self.productID = productID }

    private enum CodingKeys: String, CodingKey { case productID = "product_id" }
}
