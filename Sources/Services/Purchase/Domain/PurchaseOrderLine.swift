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
    package var received = 0

    package init() {}

    package static let schema = Schema<PurchaseOrderLine>("purchase_order_lines") {
        Field("order_id", \.orderID, .references(PurchaseOrder.self, onDelete: .cascade), .createOnly)
        Field("product_id", \.productID, .indexed, about: "The product of the catalog.")
        Field("name", \.name, .line(1...200), .searchable)
        Field("quantity", \.quantity, .range(1...1_000_000))
        Field("price", \.price, .notNegative, about: "Of one piece.")
        Field("received", \.received, .range(0...1_000_000), .readOnly, about: "Pieces that have come.")
    }

    /// - Throws: `HTTPError` 422 when the amount is beyond every order.
    func amount() throws -> Money {
        guard let amount = price.multiplied(by: quantity) else {
            throw HTTPError.invalid(["body", "price"], "quantity × price is too large", type: "less_than_equal")
        }
        return amount
    }

    /// So many pieces have come.
    /// - Throws: `HTTPError` 409 when that is more than was ordered.
    mutating func receive(_ quantity: Int) throws {
        guard quantity <= self.quantity - received else {
            throw HTTPError(
                .conflict, "purchase_order_line.over_receipt",
                "\(self.quantity) were ordered, \(received) have come: \(quantity) more are too many")
        }
        received += quantity
    }
}
