extension Telemetry {
    /// What telemetry tells of itself, in every service.
    package static let declarations = TelemetryDeclarations(
        metrics: [
            MetricRegistry.misuse.declaration, Tracer.started.declaration, Tracer.alive.declaration,
            LogLineCounters.written.declaration,
        ],
        events: [metricMisuse], fields: [.metricName, .metricMisuse])
}
