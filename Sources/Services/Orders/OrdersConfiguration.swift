internal import Configuration

/// Settings of orders.
struct OrdersConfiguration: Sendable {
    /// `ORDERS_SHIP_AFTER_MILLISECONDS`: from PROCESSING to SHIPPING. 0 to 86,400,000; 2,000.
    let shipAfterMilliseconds: Int
    /// `ORDERS_DELIVER_AFTER_MILLISECONDS`: from SHIPPING to DELIVERED. 0 to 86,400,000; 2,000.
    let deliverAfterMilliseconds: Int
    /// `ORDERS_PRICE_CACHE_SECONDS`: how old a price may be. 0 to 300; 5.
    let priceCacheSeconds: Int
    /// `ORDERS_OUTCOME_SECONDS`: how long an order may be undecided before that breaks invariant I1. 1 to 86,400; 600.
    let outcomeSeconds: Int

    init(_ reader: ConfigurationReader) {
        shipAfterMilliseconds = reader.int("ORDERS_SHIP_AFTER_MILLISECONDS", default: 2_000, in: 0...86_400_000)
        deliverAfterMilliseconds = reader.int("ORDERS_DELIVER_AFTER_MILLISECONDS", default: 2_000, in: 0...86_400_000)
        priceCacheSeconds = reader.int("ORDERS_PRICE_CACHE_SECONDS", default: 5, in: 0...300)
        outcomeSeconds = reader.int("ORDERS_OUTCOME_SECONDS", default: 600, in: 1...86_400)
    }
}
