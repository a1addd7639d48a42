extension Telemetry {
    /// What telemetry tells of itself, in every service.
    package static let declarations = TelemetryDeclarations(
        metrics: [
            MetricRegistry.misuse.declaration, Tracer.started.declaration, Tracer.alive.declaration,
            LogLineCounters.written.declaration, LogLineCounters.suppressed.declaration,
            LogLineCounters.lostDetails.declaration,
        ],
        events: [metricMisuse, LoggerCore.repeated, LoggerCore.levelRestored],
        fields: [.metricName, .metricMisuse, .loggerLabel, .levelLabel, .eventLabel, .suppressedLabel])
}
