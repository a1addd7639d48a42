/// What every metric says of itself before it is ever updated: dashboards, alerts and docs refer to this value.
package struct MetricDeclaration: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case counter, gauge, upDownCounter, histogram }

    package let name: String
    package let kind: Kind
    package let unit: MetricUnit
    package let help: String
    package let labels: [String]
    /// Upper bounds of a histogram, ascending, without `+Inf`; empty for the other kinds.
    package let buckets: [Double]
}

/// A unit as UCUM writes it, with the word that Prometheus names end in.
package enum MetricUnit: String, Hashable, Sendable {
    case none = ""
    case seconds = "s"
    case bytes = "By"
    case ratio = "1"
}

/// A value that only grows. Its name ends in `_total`.
package struct Counter: Sendable {
    package let declaration: MetricDeclaration
    package init(_ name: String, unit: MetricUnit = .none, help: String, labels: [String] = []) {
        declaration = MetricDeclaration(
            name: name, kind: .counter, unit: unit, help: help, labels: labels, buckets: [])
    }
}

/// A value that is set.
package struct Gauge: Sendable {
    package let declaration: MetricDeclaration
    package init(_ name: String, unit: MetricUnit = .none, help: String, labels: [String] = []) {
        declaration = MetricDeclaration(name: name, kind: .gauge, unit: unit, help: help, labels: labels, buckets: [])
    }
}

/// A value that is added to and taken from.
package struct UpDownCounter: Sendable {
    package let declaration: MetricDeclaration
    package init(_ name: String, unit: MetricUnit = .none, help: String, labels: [String] = []) {
        declaration = MetricDeclaration(
            name: name, kind: .upDownCounter, unit: unit, help: help, labels: labels, buckets: [])
    }
}

/// A distribution in buckets.
package struct Histogram: Sendable {
    package let declaration: MetricDeclaration
    package init(
        _ name: String, unit: MetricUnit, help: String, labels: [String] = [],
        buckets: [Double] = Histogram.durationBuckets
    ) {
        declaration = MetricDeclaration(
            name: name, kind: .histogram, unit: unit, help: help, labels: labels, buckets: buckets)
    }

    /// OpenTelemetry semantic conventions, HTTP metrics, in seconds.
    package static let durationBuckets: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]
    /// OpenTelemetry semantic conventions, database metrics, in seconds.
    package static let databaseBuckets: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
}
