internal import WarehouseContracts

/// How much there is of a product, how much of it is set aside, and what the catalog said last of it.
struct ProductStock: Hashable, Sendable {
    let productID: String
    /// Whose it is; nil for the platform's own.
    var companyID: String?
    var name: String
    var onHand: Int
    var reserved: Int
    /// The catalog's latest word that was heard.
    var catalogRevision: Int
    var catalogStockCount: Int
    /// Whether the product has left the catalog: what is set aside stays so, but nothing more can be.
    var isDiscontinued: Bool

    /// How much an order can still set aside.
    var available: Int { isDiscontinued ? 0 : onHand - reserved }

    var view: StockLevelView {
        StockLevelView(productID: productID, name: name, onHand: onHand, reserved: reserved)
    }
}
