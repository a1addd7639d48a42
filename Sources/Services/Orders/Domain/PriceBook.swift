internal import CatalogContracts
internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Synchronization
internal import Values

/// The catalog's prices, remembered for a few seconds so that a burst of orders costs one question a product.
final class PriceBook: Sendable {
    /// A tenant never sees what another's catalog answered.
    private struct Key: Hashable {
        let companyID: String?
        let productID: String
    }

    private struct Entry {
        let product: ProductView
        let expires: Timestamp
    }

    private let services: ServiceClient
    private let lifetimeSeconds: Int
    private let entries = Mutex<[Key: Entry]>([:])
    private static let maxEntries = 10_000

    init(services: ServiceClient, lifetimeSeconds: Int) {
        self.services = services
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// The products of these ids, by id, at most so old as prices may be; unknown ones are missing.
    /// - Throws: `ServiceCallError` when the catalog does not answer.
    func products(_ ids: [String], for caller: Identity) async throws -> [String: ProductView] {
        let now = Timestamp.now()
        var found: [String: ProductView] = [:]
        var missing: [String] = []
        entries.withLock { entries in
            for id in ids {
                if let entry = entries[Key(companyID: caller.companyID, productID: id)], entry.expires > now {
                    found[id] = entry.product
                } else {
                    missing.append(id)
                }
            }
        }
        guard !missing.isEmpty else { return found }
        return found.merging(try await currentProducts(missing, for: caller)) { $1 }
    }

    /// The same as the catalog answers now.
    /// - Throws: `ServiceCallError` when the catalog does not answer.
    func currentProducts(_ ids: [String], for caller: Identity) async throws -> [String: ProductView] {
        let answer: ProductPrices = try await services.get(
            "catalog", "/internal/products?ids=\(ids.joined(separator: ","))", template: "/internal/products",
            as: .user(caller))
        let expires = Timestamp.now().adding(seconds: lifetimeSeconds)
        entries.withLock { entries in
            // A product that is gone is not sold at yesterday's price.
            for id in ids { entries[Key(companyID: caller.companyID, productID: id)] = nil }
            if entries.count > Self.maxEntries { entries.removeAll(keepingCapacity: true) }
            for product in answer.items {
                entries[Key(companyID: caller.companyID, productID: product.productID)] = Entry(
                    product: product, expires: expires)
            }
        }
        return Dictionary(answer.items.map { ($0.productID, $0) }) { first, _ in first }
    }
}
