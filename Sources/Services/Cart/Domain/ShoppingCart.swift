internal import CartContracts
internal import CatalogContracts
internal import Values

/// One line of a cart as it is stored.
struct CartLine: Codable, Hashable, Sendable {
    let id: String
    let productID: String
    var name: String
    var price: Money
    var quantity: Int

    var view: CartItemView {
        CartItemView(
            id: id, productID: productID, name: name, price: price, quantity: quantity,
            totalPrice: price.multiplied(by: quantity) ?? .maximum)
    }
}

/// A cart as it was read: its lines, and the version that a later change compares with.
struct ShoppingCart: Hashable, Sendable {
    static let maxLines = 100
    static let quantities = 1...1_000

    let lines: [CartLine]
    let version: String

    /// A line that is written, or a product's line that is taken out.
    enum Change: Hashable, Sendable {
        case put(CartLine)
        case remove(productID: String)
    }

    /// Why something cannot be put in.
    enum Refusal: Error, Hashable, Sendable {
        case full
        case quantity
    }

    var view: CartView {
        CartView(items: lines.map(\.view), total: lines.reduce(.zero) { $0.adding($1.view.totalPrice) ?? .maximum })
    }

    /// By the line's own id or its product's.
    func line(_ id: String) -> CartLine? { lines.first { $0.id == id || $0.productID == id } }

    /// The product's line with so much more of it, at today's name and price.
    func adding(_ quantity: Int, of product: ProductView) throws(Refusal) -> CartLine {
        let known = line(product.productID)
        guard known != nil || lines.count < Self.maxLines else { throw .full }
        guard Self.quantities.contains(quantity) else { throw .quantity }
        let sum = quantity + (known?.quantity ?? 0)
        guard Self.quantities.contains(sum) else { throw .quantity }
        return CartLine(
            id: known?.id ?? Identifier.make(), productID: product.productID, name: product.name,
            price: product.price, quantity: sum)
    }

    /// What brings the cart up to date with the catalog: new names and prices, products that are gone.
    func changes(to products: [ProductView]) -> [Change] {
        let known = Dictionary(products.map { ($0.productID, $0) }) { first, _ in first }
        return lines.compactMap { line in
            guard let product = known[line.productID] else { return .remove(productID: line.productID) }
            var current = line
            current.name = product.name
            current.price = product.price
            return current == line ? nil : .put(current)
        }
    }
}
