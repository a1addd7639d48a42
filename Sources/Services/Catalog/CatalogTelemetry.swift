internal import ServiceKit
package import Telemetry

/// What the catalog tells of itself.
package struct CatalogTelemetry: Sendable {
    package static let lookups = Counter(
        "catalog_cache_lookups_total", help: "Lists of products, by where they came from.", labels: ["outcome"])
    package static let changes = Counter("catalog_changes_total", help: "Changes of products.", labels: ["change"])
    static let changed = LogEvent("product.changed", help: "A product was created, updated or deleted.")

    static let declarations = TelemetryDeclarations(
        metrics: [lookups.declaration, changes.declaration], events: [changed],
        fields: [AttributeKey("labels.product_id")])

    let hits: CounterSeries
    let misses: CounterSeries
    let bypasses: CounterSeries
    private let logger: Logger
    private let changes: CounterFamily

    init(_ telemetry: Telemetry) {
        let family = telemetry.metrics.counter(Self.lookups)
        hits = family.series("hit")
        misses = family.series("miss")
        bypasses = family.series("bypass")
        changes = telemetry.metrics.counter(Self.changes)
        for change in ["created", "updated", "deleted"] { _ = changes.series(change) }
        logger = telemetry.logger.named("catalog")
    }

    func noteChange(_ change: String, productID: String) {
        changes.series(change).increment()
        logger.log(
            Self.changed, "product \(change)",
            [Attribute(AttributeKey("labels.product_id"), .string(productID))])
    }
}
