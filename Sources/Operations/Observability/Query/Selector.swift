internal import Telemetry

/// Series that only grow: `rate` and `increase` make sense of them.
package enum Cumulative {}
/// Series that go up and down: they are read as they are.
package enum Level {}

/// Series of a declared instrument. What is asked of labels that it does not have is a problem, which rendering and
/// tests refuse: a dashboard cannot silently show nothing.
package struct Selector<Kind>: Sendable {
    /// The name of the series: that of the metric, with `_bucket`, `_sum` or `_count` for a histogram.
    package let name: String
    /// The declared metric, external metric or recording rule.
    let metric: String
    /// Which labels its series have, those of the target included.
    let labels: Set<String>
    /// The same in the order of the declaration.
    let declaredLabels: [String]
    /// Upper bounds, for the buckets of a histogram.
    let bounds: [Double]
    private(set) var matches: [(label: String, match: Match)] = []
    private(set) var problems: [String] = []

    /// Labels that Prometheus gives every series of a target.
    static var targetLabels: [String] { ["job", "instance"] }

    init(name: String, metric: String, labels: [String], bounds: [Double] = [], isScraped: Bool = true) {
        self.name = name
        self.metric = metric
        self.bounds = bounds
        // A label that the target has too is renamed by Prometheus when it scrapes.
        declaredLabels =
            isScraped
            ? Self.targetLabels + labels.map { Self.targetLabels.contains($0) ? "exported_" + $0 : $0 } : labels
        self.labels = Set(declaredLabels)
    }

    /// The same series, those only whose label is so.
    package func `where`(_ label: String, _ match: Match) -> Selector {
        var result = self
        if !labels.contains(label) { result.problems.append("\(metric) has no label '\(label)'") }
        result.matches.append((label, match))
        return result
    }

    /// The selector as PromQL writes it.
    package var text: String {
        matches.isEmpty ? name : name + "{" + matches.map { $0.match.text($0.label) }.joined(separator: ",") + "}"
    }

    fileprivate func expression(_ text: String) -> PromQL {
        PromQL(text, labels: labels, metrics: [metric], problems: problems)
    }
}

extension Selector where Kind == Cumulative {
    /// Growth a second, averaged over a window.
    package func rate(_ window: Window) -> PromQL { expression("rate(\(text)[\(window.text)])") }
    /// Growth within a window.
    package func increase(_ window: Window) -> PromQL { expression("increase(\(text)[\(window.text)])") }
}

extension Selector where Kind == Level {
    /// The values now.
    package var now: PromQL { expression(text) }
    /// The highest of a window.
    package func highest(_ window: Window) -> PromQL { expression("max_over_time(\(text)[\(window.text)])") }
    /// The mean of a window.
    package func average(_ window: Window) -> PromQL { expression("avg_over_time(\(text)[\(window.text)])") }
    /// The sum of the samples of a window.
    package func total(_ window: Window) -> PromQL { expression("sum_over_time(\(text)[\(window.text)])") }
    /// 1, with the labels that the selector demands, when there is no such series.
    package var absent: PromQL {
        PromQL(
            "absent(\(text))", labels: Set(matches.filter { $0.match.operation == "=" }.map(\.label)),
            metrics: [metric], problems: problems)
    }
}

extension Counter {
    /// Its series.
    package var series: Selector<Cumulative> {
        Selector(name: declaration.name, metric: declaration.name, labels: declaration.labels)
    }
}

extension Gauge {
    /// Its series.
    package var series: Selector<Level> {
        Selector(name: declaration.name, metric: declaration.name, labels: declaration.labels)
    }
}

extension UpDownCounter {
    /// Its series.
    package var series: Selector<Level> {
        Selector(name: declaration.name, metric: declaration.name, labels: declaration.labels)
    }
}

extension Histogram {
    /// How many observations were at most so large: series with `le`.
    package var buckets: Selector<Cumulative> {
        Selector(
            name: declaration.name + "_bucket", metric: declaration.name, labels: declaration.labels + ["le"],
            bounds: declaration.buckets)
    }
    /// How many observations there were.
    package var count: Selector<Cumulative> {
        Selector(
            name: declaration.name + "_count", metric: declaration.name, labels: declaration.labels,
            bounds: declaration.buckets)
    }
    /// Their sum.
    package var sum: Selector<Cumulative> {
        Selector(name: declaration.name + "_sum", metric: declaration.name, labels: declaration.labels)
    }
    /// Observations that were at most `bound`.
    /// - Parameter bound: must be a bucket of the histogram, or nothing can be said exactly.
    package func atMost(_ bound: Double) -> Selector<Cumulative> {
        var selector = buckets.where("le", .equals("\(bound)"))
        if !declaration.buckets.contains(bound) {
            selector.note("\(declaration.name) has no bucket \(bound): add it to the histogram's buckets")
        }
        return selector
    }
}

extension Selector {
    fileprivate mutating func note(_ problem: String) { problems.append(problem) }

    /// The same selector with something wrong about it.
    func unknown(_ problem: String) -> Selector {
        var result = self
        result.note(problem)
        return result
    }
}
