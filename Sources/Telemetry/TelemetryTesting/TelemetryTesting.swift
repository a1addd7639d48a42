package import Telemetry

/// Telemetry that keeps what was emitted in memory, for assertions.
package final class TelemetryCapture: Sendable {
    package let telemetry: Telemetry
    package init(serviceName: String = "test") { fatalError("skeleton") }
    /// Finished spans, in the order of their ends.
    package var spans: [CapturedSpan] { fatalError("skeleton") }
    /// Log lines as the JSON texts that would be written.
    package var logLines: [String] { fatalError("skeleton") }
    /// The value of a series in the Prometheus text, for example `orders_created_total` or `x_total{status="ok"}`.
    package func value(_ series: String) -> Double? { fatalError("skeleton") }
}

package struct CapturedSpan: Sendable {
    package let name: String
    package let kind: SpanKind
    package let context: SpanContext
    package let parent: SpanID?
    package let links: [SpanContext]
    package let attributes: [String: AttributeValue]
    package let status: SpanStatus
}
