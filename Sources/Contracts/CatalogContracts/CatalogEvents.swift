internal import ServiceKit
package import Values

/// A product came into the catalog, with the stock that it starts with.
package struct ProductCreated: Event {
    package static let type = "product.created"
    package var productID: String
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    package var name: String
    package var category: String
    package var price: Money
    package var stockCount: Int
    /// Grows with every change of the product, so that a late event is known as such.
    package var revision: Int
    package var subject: String { productID }

    package init(product: ProductView, companyID: String?, revision: Int) {
        productID = product.productID
        self.companyID = companyID
        name = product.name
        category = product.category
        price = product.price
        stockCount = product.stockCount ?? 0
        self.revision = revision
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case companyID = "company_id"
        case name, category, price
        case stockCount = "stock_count"
        case revision
    }
}

/// A product changed: everything that it is now, so that the latest event is enough.
package struct ProductUpdated: Event {
    package static let type = "product.updated"
    package var productID: String
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    package var name: String
    package var category: String
    package var price: Money
    /// What the catalog says of the stock; the stock is set to it only when it differs from what was said before.
    package var stockCount: Int
    /// Grows with every change of the product, so that a late event is known as such.
    package var revision: Int
    package var subject: String { productID }

    package init(product: ProductView, companyID: String?, revision: Int) {
        productID = product.productID
        self.companyID = companyID
        name = product.name
        category = product.category
        price = product.price
        stockCount = product.stockCount ?? 0
        self.revision = revision
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case companyID = "company_id"
        case name, category, price
        case stockCount = "stock_count"
        case revision
    }
}

/// A product left the catalog: it can no longer be ordered. Its stock stays where it is.
package struct ProductDeleted: Event {
    package static let type = "product.deleted"
    package var productID: String
    /// The tenant; nil for the platform's own.
    package var companyID: String?
    /// Above every revision that the product had.
    package var revision: Int
    package var subject: String { productID }

    package init(productID: String, companyID: String?, revision: Int) {
        self.productID = productID
        self.companyID = companyID
        self.revision = revision
    }

    private enum CodingKeys: String, CodingKey {
        case productID = "product_id"
        case companyID = "company_id"
        case revision
    }
}
