package import Telemetry

/// What caches tell of themselves: the cache's name, never keys or values.
package struct CacheTelemetry: Sendable {
    package static let requests = Counter(
        "cache_requests_total",
        help:
            "Values asked of a cache, by where they came from: hit, miss (loaded), shared (somebody else was loading it) "
            + "or bypass (loaded, because Redis does not answer).",
        labels: ["cache", "outcome"])
    package static let stores = Counter(
        "cache_stores_total",
        help:
            "Values handed to a cache, by outcome: kept, outdated (something changed while it was loaded), too_large or "
            + "error.", labels: ["cache", "outcome"])
    package static let invalidations = Counter(
        "cache_invalidations_total", help: "Changes that made entries outdated.", labels: ["cache", "outcome"])
    package static let invalidated = Counter(
        "cache_entries_invalidated_total", help: "Entries that were forgotten because of a change.", labels: ["cache"])

    package static let invalidationFailed = LogEvent(
        "cache.invalidation_failed", level: .warn,
        help: "Redis could not be told of a change: entries may be outdated until they end by themselves.")

    private static let cacheLabel = AttributeKey("labels.cache")

    /// Every name that caches emit.
    package static let declarations = TelemetryDeclarations(
        metrics: [requests.declaration, stores.declaration, invalidations.declaration, invalidated.declaration],
        events: [invalidationFailed], fields: [cacheLabel, .errorType])

    let hits: CounterSeries
    let misses: CounterSeries
    let shared: CounterSeries
    let bypasses: CounterSeries
    let kept: CounterSeries
    let outdated: CounterSeries
    let tooLarge: CounterSeries
    let failed: CounterSeries
    let invalidations: CounterSeries
    let failedInvalidations: CounterSeries
    let invalidated: CounterSeries
    private let logger: Logger
    private let name: String

    init(_ telemetry: Telemetry, cache name: String) {
        self.name = name
        logger = telemetry.logger.named("cache")
        let requests = telemetry.metrics.counter(Self.requests)
        hits = requests.series(name, "hit")
        misses = requests.series(name, "miss")
        shared = requests.series(name, "shared")
        bypasses = requests.series(name, "bypass")
        let stores = telemetry.metrics.counter(Self.stores)
        kept = stores.series(name, "kept")
        outdated = stores.series(name, "outdated")
        tooLarge = stores.series(name, "too_large")
        failed = stores.series(name, "error")
        let changes = telemetry.metrics.counter(Self.invalidations)
        invalidations = changes.series(name, "success")
        failedInvalidations = changes.series(name, "error")
        invalidated = telemetry.metrics.counter(Self.invalidated).series(name)
    }

    func noteFailedInvalidation(_ error: any Error) {
        failedInvalidations.increment()
        logger.log(
            Self.invalidationFailed, "the cache '\(name)' could not be told of a change",
            [
                Attribute(Self.cacheLabel, .string(name)),
                Attribute(.errorType, .string(ErrorType.name(of: error))),
            ])
    }
}
