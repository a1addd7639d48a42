internal import CatalogContracts
internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Synchronization
internal import Values

/// The catalog's prices, remembered for a few seconds so that a burst of orders costs one question a product.
final class PriceBook: Sendable {
    private struct Entry {
        let product: ProductView
        let expires: Timestamp
    }

    private let services: ServiceClient
    private let lifetimeSeconds: Int
    private let entries = Mutex<[String: Entry]>([:])
    private static let maxEntries = 10_000

    init(services: ServiceClient, lifetimeSeconds: Int) {
        self.services = services
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// The products of these ids, by id; unknown ones are missing.
    /// - Throws: `ServiceCallError` when the catalog does not answer.
    func products(_ ids: [String], for caller: Identity) async throws -> [String: ProductView] {
        let now = Timestamp.now()
        var found: [String: ProductView] = [:]
        var missing: [String] = []
        entries.withLock { entries in
            for id in ids {
                if let entry = entries[id], entry.expires > now {
                    found[id] = entry.product
                } else {
                    missing.append(id)
                }
            }
        }
        guard !missing.isEmpty else { return found }
        let answer: ProductPrices = try await services.get(
            "catalog", "/internal/products?ids=\(missing.joined(separator: ","))", template: "/internal/products",
            as: .user(caller))
        let expires = now.adding(seconds: lifetimeSeconds)
        entries.withLock { entries in
            if entries.count > Self.maxEntries { entries.removeAll(keepingCapacity: true) }
            for product in answer.items {
                entries[product.productID] = Entry(product: product, expires: expires)
            }
        }
        for product in answer.items { found[product.productID] = product }
        return found
    }
}
