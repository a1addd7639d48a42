/// What the catalog says of a product, and what follows for the stock, as a pure function. Created, updated and deleted
/// arrive through queues of their own, late or twice: each brings all there is to know and a revision, and only the
/// highest counts.
struct CatalogNews: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        case present(name: String, stockCount: Int)
        case deleted
    }

    let productID: String
    let companyID: String?
    let revision: Int
    let content: Content

    /// What follows.
    enum Step: Hashable, Sendable {
        /// Nothing: it was heard before, or is older than what was.
        case ignore
        /// The product's first level.
        case introduce(ProductStock)
        /// The level as it is now, with the change of `onHand` that is a movement.
        case follow(ProductStock, movement: Int)
    }

    /// - Parameter level: nil when the product is not known yet.
    func step(from level: ProductStock?) -> Step {
        guard var level else { return .introduce(first) }
        guard revision > level.catalogRevision, !level.isDiscontinued else { return .ignore }
        level.catalogRevision = revision
        switch content {
        case .deleted:
            level.isDiscontinued = true
            return .follow(level, movement: 0)
        case .present(let name, let stockCount):
            level.name = name
            var movement = 0
            // Only a count that differs from what was said before speaks of the stock: sales have moved it since.
            if stockCount != level.catalogStockCount {
                movement = max(stockCount, level.reserved) - level.onHand
                level.onHand += movement
                level.catalogStockCount = stockCount
            }
            return .follow(level, movement: movement)
        }
    }

    /// A product that is gone before it was heard of leaves a mark, so that it does not come back.
    private var first: ProductStock {
        switch content {
        case .present(let name, let stockCount):
            ProductStock(
                productID: productID, name: name, onHand: stockCount, reserved: 0, catalogRevision: revision,
                catalogStockCount: stockCount, isDiscontinued: false)
        case .deleted:
            ProductStock(
                productID: productID, name: "", onHand: 0, reserved: 0, catalogRevision: revision,
                catalogStockCount: 0, isDiscontinued: true)
        }
    }
}
