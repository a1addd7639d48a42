/// Names that a target emits, declared once in its `<Name>Telemetry.swift`: metrics, spans, log events and the fields
/// of their lines. Dashboards, alerts and `docs/telemetry.md` are made from these values, and tests fail on telemetry
/// that is emitted without being declared here.
package struct TelemetryDeclarations: Sendable {
    package var metrics: [MetricDeclaration]
    package var spans: [SpanDeclaration]
    package var events: [LogEvent]
    /// What lines of these events may carry beyond `LogEvent.commonFields`.
    package var fields: [AttributeKey]

    package init(
        metrics: [MetricDeclaration] = [], spans: [SpanDeclaration] = [], events: [LogEvent] = [],
        fields: [AttributeKey] = []
    ) {
        self.metrics = metrics
        self.spans = spans
        self.events = events
        self.fields = fields
    }

    /// Whether nothing is declared.
    package var isEmpty: Bool { metrics.isEmpty && spans.isEmpty && events.isEmpty }
}

extension LogEvent {
    /// What every line may carry: its layout, and the request it belongs to.
    package static let commonFields: Set<String> = [
        "@timestamp", "log.level", "message", "ecs.version", "service.name", "service.version", "service.environment",
        "service.node.name", "log.logger", "event.action", "event.dataset", "trace.id", "span.id", "http.request.id",
        "process.pid", "process.thread.id", "process.thread.name", "host.name", "tags",
    ]
}
