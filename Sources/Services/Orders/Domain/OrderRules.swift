internal import CatalogContracts
internal import HTTPCodec
internal import OrdersContracts
internal import ServiceKit
internal import Values

/// What an order must be before it is accepted: bounded, and at the catalog's prices.
enum OrderRules {
    static let maxItems = 100
    static let maxQuantity = 1_000

    /// Checks what can be told without asking anybody.
    /// - Throws: 422 naming the fields.
    static func check(_ order: CreateOrder) throws {
        var problems: [HTTPError.FieldError] = []
        if order.items.isEmpty {
            problems.append(.init(["body", "items"], "an order has at least one item", type: "too_short"))
        }
        if order.items.count > maxItems {
            problems.append(.init(["body", "items"], "an order has at most \(maxItems) items", type: "too_long"))
        }
        for (index, item) in order.items.prefix(maxItems).enumerated() {
            let place = ["body", "items", "\(index)"]
            if Identifier.normalized(item.productID) == nil {
                problems.append(.init(place + ["product_id"], "must be a UUID", type: "uuid_parsing"))
            }
            if !(1...maxQuantity).contains(item.quantity) {
                problems.append(
                    .init(place + ["quantity"], "must be from 1 to \(maxQuantity)", type: "out_of_range"))
            }
            if item.price <= .zero {
                problems.append(.init(place + ["price"], "must be above 0", type: "greater_than"))
            }
        }
        let ids = Set(order.items.map { $0.productID.lowercased() })
        if ids.count != order.items.count {
            problems.append(.init(["body", "items"], "a product stands in one item only", type: "duplicate"))
        }
        guard problems.isEmpty else {
            throw HTTPError(.unprocessableContent, "order.invalid", "the order is not valid", fields: problems)
        }
        guard let sum = total(of: order.items), sum == order.total else {
            throw HTTPError(
                .unprocessableContent, "order.total_mismatch", "total is not the sum of the items",
                fields: [.init(["body", "total"], "must be the sum of price × quantity", type: "total_mismatch")])
        }
    }

    /// Checks prices against the catalog, and takes its names.
    /// - Throws: 404 for an unknown product, 409 for another price.
    static func priced(_ items: [OrderItem], with known: [String: ProductView]) throws -> [OrderItem] {
        try items.map { item in
            let id = item.productID.lowercased()
            guard let product = known[id] else {
                throw HTTPError(.notFound, "product.unknown", "there is no product \(id)")
            }
            guard product.price == item.price else {
                throw HTTPError(
                    .conflict, "order.price_changed",
                    "the price of product \(id) is \(product.price) now: read the cart again")
            }
            return OrderItem(productID: id, name: product.name, price: product.price, quantity: item.quantity)
        }
    }

    /// The sum of the items; nil beyond what an amount can be.
    static func total(of items: [OrderItem]) -> Money? {
        var sum = Money.zero
        for item in items {
            guard let line = item.price.multiplied(by: item.quantity), let next = sum.adding(line) else { return nil }
            sum = next
        }
        return sum
    }
}
