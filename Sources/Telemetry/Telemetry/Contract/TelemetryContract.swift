/// Everything that one service may emit: its own declarations and those of the parts that it is built from.
package struct TelemetryContract: Sendable {
    /// The declarations of one part: the service itself, its HTTP server, its database client.
    package struct Scope: Sendable {
        package let name: String
        package let declarations: TelemetryDeclarations
        package init(_ name: String, _ declarations: TelemetryDeclarations) {
            self.name = name
            self.declarations = declarations
        }
    }

    package let service: String
    package let scopes: [Scope]

    package init(service: String, scopes: [Scope]) {
        self.service = service
        self.scopes = scopes
    }

    /// Every metric, ordered by name.
    package var metrics: [MetricDeclaration] {
        scopes.flatMap(\.declarations.metrics).sorted { $0.name < $1.name }
    }
    /// Every kind of span, in the order of the scopes.
    package var spans: [SpanDeclaration] { scopes.flatMap(\.declarations.spans) }
    /// Every log event, in the order of the scopes.
    package var events: [LogEvent] { scopes.flatMap(\.declarations.events) }

    /// The declaration of a metric.
    package func metric(_ name: String) -> MetricDeclaration? {
        for scope in scopes {
            if let found = scope.declarations.metrics.first(where: { $0.name == name }) { return found }
        }
        return nil
    }

    /// What is wrong with the declarations themselves, a sentence each: two metrics of one name that differ, names
    /// that Prometheus refuses, help that is missing.
    package var problems: [String] {
        var problems: [String] = []
        var known: [String: MetricDeclaration] = [:]
        for metric in metrics {
            if let other = known[metric.name], other != metric {
                problems.append("\(service): \(metric.name) is declared twice, differently")
            }
            known[metric.name] = metric
            if !MetricDeclaration.isValid(name: metric.name) {
                problems.append("\(service): \(metric.name) is not a name that Prometheus takes")
            }
            for label in metric.labels where !MetricDeclaration.isValid(label: label) {
                problems.append("\(service): \(metric.name) has the label \(label), which Prometheus does not take")
            }
            if metric.kind == .counter, !metric.name.hasSuffix("_total") {
                problems.append("\(service): the counter \(metric.name) does not end in _total")
            }
        }
        let helps =
            metrics.map { ($0.name, $0.help) } + spans.map { ($0.name, $0.help) } + events.map { ($0.name, $0.help) }
        for (name, help) in helps where help.isEmpty { problems.append("\(service): \(name) has no help") }
        return problems
    }
}
