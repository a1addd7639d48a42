internal import Values

/// What a list of products is asked for; its text is the cache's key.
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

    /// One text for one query, whatever is in the category's name.
    var cacheKey: String {
        [
            companyID ?? "", "\(skip)", "\(limit)", order.rawValue, isDescending ? "desc" : "asc",
            minPrice?.description ?? "", maxPrice?.description ?? "", category ?? "",
        ].joined(separator: "|")
    }
}
