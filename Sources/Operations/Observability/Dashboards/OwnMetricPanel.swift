internal import Telemetry

/// A panel for a metric that a service declares, without anybody having to think of one.
struct OwnMetricPanel {
    let declaration: MetricDeclaration
    let job: Match
    let declared: DeclaredMetrics

    var panel: Panel {
        let name = declaration.name
        let legend = declaration.labels.map { "{{\($0)}}" }.joined(separator: " ")
        switch declaration.kind {
        case .counter:
            let rate = declared.counter(name).where("job", job).rate(.panel).sum(by: labels)
            return .stacked(
                name, .operations, [.init(rate, legend.isEmpty ? "a second" : legend)], help: declaration.help)
        case .gauge, .upDownCounter, .info:
            let value = declared.gauge(name).where("job", job).now.max(by: labels)
            return .lines(name, unit, [.init(value, legend.isEmpty ? "now" : legend)], help: declaration.help)
        case .histogram:
            let buckets = declared.buckets(name).where("job", job).rate(.panel).sum(by: ["le"])
            return .lines(
                name, unit,
                [
                    .init(buckets.quantile(0.5), "half"), .init(buckets.quantile(0.95), "95 %", exemplars: true),
                    .init(buckets.quantile(0.99), "99 %", exemplars: true),
                ], help: declaration.help)
        }
    }

    private var labels: [String] {
        declaration.labels.map { Selector<Level>.targetLabels.contains($0) ? "exported_" + $0 : $0 }
    }

    private var unit: Panel.Unit {
        switch declaration.unit {
        case .none: .none
        case .seconds: .seconds
        case .bytes: .bytes
        case .ratio: .share
        }
    }
}
