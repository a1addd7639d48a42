package import Telemetry

/// Which of a process's services speaks for the process. Each of them shows the process's own series; an alert on these
/// asks for the lead, so that one process gives one alert however many services it runs.
package enum ProcessLead {
    package static let lead = Gauge(
        "process_lead", help: "1 for the first service of its process, which speaks for the process in alerts; else 0.")

    static let declarations = TelemetryDeclarations(metrics: [lead.declaration])

    static func show(isLead: Bool, in registry: MetricRegistry) {
        registry.gauge(lead).series().set(isLead ? 1 : 0)
    }
}
