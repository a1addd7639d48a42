internal import HTTPCodec
package import Models
internal import ServiceKit
package import Values

/// One product of a purchase order.
package struct PurchaseOrderLine: Model {
    package var base = Base()
    package var orderID = ID.none
    package var productID = ID.none
    package var name = ""
    package var quantity = 1
    package var price = Money.zero

    package init() {}

    package static let schema = Schema<PurchaseOrderLine>("purchase_order_lines") {
        Field("order_id", \.orderID, .references(PurchaseOrder.self, onDelete: .cascade), .createOnly)
        Field("product_id", \.productID, .indexed, about: "The product of the catalog.")
        Field("name", \.name, .line(1...200), .searchable)
        Field("quantity", \.quantity, .range(1...1_000_000))
        Field("price", \.price, .notNegative, about: "Of one piece.")
    }

    /// - Throws: `HTTPError` 422 when the amount is beyond every order.
    func amount() throws -> Money {
        guard let amount = price.multiplied(by: quantity) else {
            throw HTTPError.invalid(["body", "price"], "quantity × price is too large", type: "less_than_equal")
        }
        return amount
    }
}
