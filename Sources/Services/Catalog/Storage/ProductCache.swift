internal import Caching
internal import CatalogContracts

/// What the catalog keeps in Redis for a minute: lists as they were asked for, and products one by one.
struct ProductCache: Sendable {
    let lists: Cache<ProductPage>
    let products: Cache<ProductView>

    func page(_ query: ProductQuery, otherwise load: () async throws -> ProductPage) async throws -> ProductPage {
        try await lists.value(query.cacheKey, otherwise: load)
    }

    static func key(_ productID: String, companyID: String?) -> CacheKey { CacheKey(company: companyID, productID) }

    /// After a change has been committed: any list of the company may show it. When Redis does not answer, lists are at
    /// most a minute old.
    func changed(companyID: String?) async { await lists.invalidate(CachePattern(company: companyID)) }
}
