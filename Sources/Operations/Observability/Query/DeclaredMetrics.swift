package import ServiceKit
internal import Telemetry

/// The declared metrics of all services by name: for what is not worth a typed reference (a panel for every metric of
/// a service), and to find queries over names that nothing declares.
package struct DeclaredMetrics: Sendable {
    private let byName: [String: MetricDeclaration]

    package init(_ services: [ServiceDefinition]) {
        byName = Dictionary(services.flatMap(\.contract.metrics).map { ($0.name, $0) }) { first, _ in first }
    }

    /// The series of a counter; a problem of the query when nothing of the kind is declared.
    func counter(_ name: String) -> Selector<Cumulative> {
        guard let declaration = byName[name], declaration.kind == .counter else {
            return Selector(name: name, metric: name, labels: []).unknown("no counter '\(name)' is declared")
        }
        return Selector(name: name, metric: name, labels: declaration.labels)
    }

    /// The series of a gauge; a problem of the query when nothing of the kind is declared.
    func gauge(_ name: String) -> Selector<Level> {
        guard let declaration = byName[name], [.gauge, .upDownCounter, .info].contains(declaration.kind) else {
            return Selector(name: name, metric: name, labels: []).unknown("no gauge '\(name)' is declared")
        }
        return Selector(name: name, metric: name, labels: declaration.labels)
    }

    /// The buckets of a histogram; a problem of the query when nothing of the kind is declared.
    func buckets(_ name: String) -> Selector<Cumulative> {
        guard let declaration = byName[name], declaration.kind == .histogram else {
            return Selector(name: name + "_bucket", metric: name, labels: ["le"])
                .unknown("no histogram '\(name)' is declared")
        }
        return Selector(
            name: name + "_bucket", metric: name, labels: declaration.labels + ["le"], bounds: declaration.buckets)
    }

    /// How many observations a histogram had; a problem of the query when nothing of the kind is declared.
    func count(_ name: String) -> Selector<Cumulative> {
        let buckets = buckets(name)
        let labels = byName[name]?.labels ?? []
        let count = Selector<Cumulative>(name: name + "_count", metric: name, labels: labels, bounds: buckets.bounds)
        return buckets.problems.reduce(count) { $0.unknown($1) }
    }

    /// Whether somebody emits series of this name.
    func knows(_ name: String) -> Bool { byName[name] != nil || ExternalMetrics.names.contains(name) }

    /// What is wrong with a query, a sentence each; empty for a sound one.
    /// - Parameter recorded: names of recording rules.
    package func problems(of query: PromQL, recorded: Set<String>) -> [String] {
        query.problems
            + query.metrics.sorted().filter { !knows($0) && !recorded.contains($0) }.map {
                "nothing emits or records '\($0)'"
            }
    }
}
