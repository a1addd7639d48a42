internal import ServiceKit
package import Telemetry

/// What the catalog tells of itself.
package struct CatalogTelemetry: Sendable {
    package static let changes = Counter("catalog_changes_total", help: "Changes of products.", labels: ["change"])
    static let changed = LogEvent("product.changed", help: "A product was created, updated or deleted.")

    static let declarations = TelemetryDeclarations(
        metrics: [changes.declaration], events: [changed],
        fields: [AttributeKey("labels.product_id")])

    private let logger: Logger
    private let changes: CounterFamily

    init(_ telemetry: Telemetry) {
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
