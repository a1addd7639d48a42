internal import CatalogContracts

/// The catalog's events as the warehouse hears them.
extension CatalogNews {
    init(_ event: ProductCreated) {
        self.init(
            productID: event.productID, companyID: event.companyID, revision: event.revision,
            content: .present(name: event.name, stockCount: event.stockCount))
    }

    init(_ event: ProductUpdated) {
        self.init(
            productID: event.productID, companyID: event.companyID, revision: event.revision,
            content: .present(name: event.name, stockCount: event.stockCount))
    }

    init(_ event: ProductDeleted) {
        self.init(
            productID: event.productID, companyID: event.companyID, revision: event.revision, content: .deleted)
    }
}
