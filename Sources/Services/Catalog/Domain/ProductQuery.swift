internal import Caching
internal import Values

/// What a list of products is asked for; with its key in the cache.
struct ProductQuery: Hashable, Sendable {
    enum Order: String, Sendable { case name, price }

    var category: String?
    var skip = 0
    var limit = 20
    var order = Order.name
    var isDescending = false
    var minPrice: Money?
    var maxPrice: Money?
    var companyID: String?

    /// One key for one query, whatever is in the category's name.
    var cacheKey: CacheKey {
        CacheKey(
            company: companyID, category ?? "", "\(skip)", "\(limit)", order.rawValue, isDescending ? "desc" : "asc",
            minPrice?.description ?? "", maxPrice?.description ?? "")
    }
}
