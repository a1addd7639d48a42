/// What every metric says of itself before it is ever updated: dashboards, alerts and docs refer to this value.
package struct MetricDeclaration: Hashable, Sendable {
    /// How the value behaves.
    package enum Kind: String, Hashable, Sendable { case counter, gauge, upDownCounter, histogram, info }

    package let name: String
    package let kind: Kind
    package let unit: MetricUnit
    package let help: String
    package let labels: [String]
    /// Upper bounds of a histogram, ascending, without `+Inf`; empty for the other kinds.
    package let buckets: [Double]
    /// Label values whose series are there, at zero, from the first scrape: an outcome that has not happened yet is
    /// then no missing series, and its first occurrence is a rise.
    package let initial: [[String]]

    package init(
        name: String, kind: Kind, unit: MetricUnit, help: String, labels: [String], buckets: [Double] = [],
        initial: [[String]] = []
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
        self.labels = labels
        self.buckets = buckets
        self.initial = initial
    }

    /// The name ends as its kind and unit say (OpenMetrics 1.0): a counter in `_total`, an info in `_info`, before that
    /// the unit.
    package var hasItsSuffixes: Bool {
        var rest = Substring(name)
        switch kind {
        case .counter where rest.hasSuffix("_total"): rest = rest.dropLast("_total".count)
        case .info where rest.hasSuffix("_info"): rest = rest.dropLast("_info".count)
        case .counter, .info: return false
        case .gauge, .upDownCounter, .histogram: break
        }
        return unit.suffix.isEmpty || rest.hasSuffix("_" + unit.suffix)
    }

    /// The name of its samples, the same in every format, so that a query does not depend on which one was negotiated.
    package var sampleName: String {
        switch kind {
        case .counter: name.hasSuffix("_total") ? name : name + "_total"
        case .info: name.hasSuffix("_info") ? name : name + "_info"
        case .gauge, .upDownCounter, .histogram: name
        }
    }

    /// Every name that its series and its family have in one of the formats: no other metric may have them too.
    var exposedNames: [String] {
        switch kind {
        case .counter: hasItsSuffixes ? [name, String(name.dropLast("_total".count))] : [name, name + "_total"]
        case .info: hasItsSuffixes ? [name, String(name.dropLast("_info".count))] : [name, name + "_info"]
        case .gauge, .upDownCounter: [name]
        case .histogram: [name, name + "_bucket", name + "_sum", name + "_count"]
        }
    }

    /// Prometheus: `[a-zA-Z_:][a-zA-Z0-9_:]*`, without the colon, which is for recording rules.
    static func isValid(name: String) -> Bool { isIdentifier(name) }

    /// Prometheus: `[a-zA-Z_][a-zA-Z0-9_]*`, without the reserved prefix `__`; `le` belongs to histograms.
    static func isValid(label: String) -> Bool { isIdentifier(label) && !label.hasPrefix("__") && label != "le" }

    private static func isIdentifier(_ text: String) -> Bool {
        var isFirst = true
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"): if isFirst { return false }
            default: return false
            }
            isFirst = false
        }
        return !isFirst
    }
}

/// A unit as UCUM writes it, with the word that Prometheus names end in.
package enum MetricUnit: String, Hashable, Sendable {
    case none = ""
    case seconds = "s"
    case bytes = "By"
    case ratio = "1"

    /// The word that a metric's name ends in (before `_total`); empty without a unit.
    package var suffix: String {
        switch self {
        case .none: ""
        case .seconds: "seconds"
        case .bytes: "bytes"
        case .ratio: "ratio"
        }
    }
}

/// A value that only grows. Its name ends in `_total`.
package struct Counter: Sendable {
    package let declaration: MetricDeclaration
    package init(
        _ name: String, unit: MetricUnit = .none, help: String, labels: [String] = [], initial: [[String]] = []
    ) {
        declaration = MetricDeclaration(
            name: name, kind: .counter, unit: unit, help: help, labels: labels, initial: initial)
    }
}

/// A value that is set.
package struct Gauge: Sendable {
    package let declaration: MetricDeclaration
    package init(
        _ name: String, unit: MetricUnit = .none, help: String, labels: [String] = [], initial: [[String]] = []
    ) {
        declaration = MetricDeclaration(
            name: name, kind: .gauge, unit: unit, help: help, labels: labels, initial: initial)
    }
}

/// A value that is added to and taken from.
package struct UpDownCounter: Sendable {
    package let declaration: MetricDeclaration
    package init(
        _ name: String, unit: MetricUnit = .none, help: String, labels: [String] = [], initial: [[String]] = []
    ) {
        declaration = MetricDeclaration(
            name: name, kind: .upDownCounter, unit: unit, help: help, labels: labels, initial: initial)
    }
}

/// A constant fact, told by its labels; the value is always 1. Its name ends in `_info`.
package struct Info: Sendable {
    package let declaration: MetricDeclaration
    package init(_ name: String, help: String, labels: [String]) {
        declaration = MetricDeclaration(name: name, kind: .info, unit: .none, help: help, labels: labels)
    }
}

/// A distribution in buckets.
package struct Histogram: Sendable {
    package let declaration: MetricDeclaration
    package init(
        _ name: String, unit: MetricUnit, help: String, labels: [String] = [],
        buckets: [Double] = Histogram.durationBuckets, initial: [[String]] = []
    ) {
        declaration = MetricDeclaration(
            name: name, kind: .histogram, unit: unit, help: help, labels: labels, buckets: buckets, initial: initial)
    }

    /// OpenTelemetry semantic conventions, HTTP metrics, in seconds.
    package static let durationBuckets: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]
    /// OpenTelemetry semantic conventions, database metrics, in seconds.
    package static let databaseBuckets: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
}
