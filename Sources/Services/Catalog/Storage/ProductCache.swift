internal import CatalogContracts
internal import FoundationEssentials
internal import Redis
internal import ServiceKit
internal import Telemetry

/// Lists of products in Redis, cache-aside, for a minute. Keys carry a version that every change raises, so that a
/// list read before a change can never be stored over it. Without Redis every list comes from the database.
struct ProductCache: Sendable {
    let redis: RedisClient
    let telemetry: CatalogTelemetry

    private static let lifetimeSeconds = 60
    private static let versionKey = "catalog:version"

    func page(
        _ query: ProductQuery, otherwise load: () async throws -> ProductPage
    ) async throws -> ProductPage {
        guard let version = try? await redis.get(Self.versionKey) ?? "0" else {
            telemetry.bypasses.increment()
            return try await load()
        }
        let key = "catalog:list:\(version):\(query.cacheKey)"
        if let text = try? await redis.get(key),
            let page = try? JSONDecoder().decode(ProductPage.self, from: Data(text.utf8))
        {
            telemetry.hits.increment()
            return page
        }
        telemetry.misses.increment()
        let page = try await load()
        if let data = try? JSONEncoder().encode(page) {
            try? await redis.set(
                key, String(decoding: data, as: UTF8.self), expirySeconds: Self.lifetimeSeconds)
        }
        return page
    }

    /// After a change has been committed. When Redis does not answer, lists are at most a minute old.
    func invalidate() async { _ = try? await redis.command("INCR", Self.versionKey) }
}
