internal import Synchronization

/// The metrics of one service: declared instruments bound to storage, one series a label set.
///
/// Binding and label lookup take a lock and happen once; updates of a series are lock-free and allocation-free.
/// Whatever is misused (a name bound to two kinds, a wrong number of label values, a negative increment) is counted
/// in `telemetry_metric_misuse_total` and otherwise ignored.
package final class MetricRegistry: Sendable {
    /// Label sets of one metric; more of them share the overflow series.
    package static let maxSeriesPerMetric = 2_000

    /// Shown by every registry.
    package static let misuse = Counter(
        "telemetry_metric_misuse_total", help: "Calls of the metrics API that were ignored, by reason.",
        labels: ["reason"])

    /// A metric with its storage, for the exposition.
    package enum Family: Sendable {
        case counter(CounterFamily)
        case gauge(GaugeFamily)
        case histogram(HistogramFamily)
        case observed(ObservedFamily)

        package var declaration: MetricDeclaration {
            switch self {
            case .counter(let family): family.declaration
            case .gauge(let family): family.declaration
            case .histogram(let family): family.declaration
            case .observed(let family): family.declaration
            }
        }
    }

    private struct State {
        var families: [String: Family] = [:]
        /// The metric that has each name which can be read in one of the formats.
        var owners: [String: String] = [:]
        var included: [MetricRegistry] = []
    }

    let problems = MetricProblems()
    private let state = Mutex(State())

    /// The forms that its histograms have.
    package let histograms: HistogramForms

    package init(histograms: HistogramForms = HistogramForms()) {
        self.histograms = histograms
        let problems = problems
        for reason in MetricProblems.Reason.allCases {
            observe(Self.misuse, labels: [reason.rawValue]) { Double(problems.count(reason)) }
        }
    }

    // MARK: Binding

    /// Binds a declaration; binding the same one twice gives the same family.
    package func counter(_ counter: Counter) -> CounterFamily {
        let new = CounterFamily(counter.declaration, problems: problems)
        if case .counter(let family) = bind(.counter(new)) { return family }
        return new
    }

    /// Binds a declaration; binding the same one twice gives the same family.
    package func gauge(_ gauge: Gauge) -> GaugeFamily { bindGauge(gauge.declaration) }
    /// Binds a declaration; binding the same one twice gives the same family.
    package func upDownCounter(_ counter: UpDownCounter) -> GaugeFamily { bindGauge(counter.declaration) }

    private func bindGauge(_ declaration: MetricDeclaration) -> GaugeFamily {
        let new = GaugeFamily(declaration, problems: problems)
        if case .gauge(let family) = bind(.gauge(new)) { return family }
        return new
    }

    /// Binds a declaration; binding the same one twice gives the same family.
    package func histogram(_ histogram: Histogram) -> HistogramFamily {
        let new = HistogramFamily(
            histogram.declaration, problems: problems, isExponential: histograms.areExponential)
        if case .histogram(let family) = bind(.histogram(new)) { return family }
        return new
    }

    /// A gauge without labels whose value is read at each scrape.
    package func observe(_ gauge: Gauge, _ read: @escaping @Sendable () -> Double) {
        observe(gauge.declaration, labels: [], read)
    }

    /// One series of a gauge whose value is read at each scrape.
    package func observe(_ gauge: Gauge, labels: [String], _ read: @escaping @Sendable () -> Double) {
        observe(gauge.declaration, labels: labels, read)
    }

    /// One series of a counter that is kept elsewhere and read at each scrape; it must never go back.
    package func observe(_ counter: Counter, labels: [String] = [], _ read: @escaping @Sendable () -> Double) {
        observe(counter.declaration, labels: labels, read)
    }

    /// A constant fact about the service, as a series of value 1 (`target_info`, `build_info`).
    package func info(_ info: Info, _ values: String...) { observe(info.declaration, labels: values) { 1 } }
    /// A constant fact about the service, as a series of value 1.
    package func info(_ info: Info, _ values: [String]) { observe(info.declaration, labels: values) { 1 } }

    private func observe(
        _ declaration: MetricDeclaration, labels: [String], _ read: @escaping @Sendable () -> Double
    ) {
        guard labels.count == declaration.labels.count else {
            return problems.report(.labelCount, metric: declaration.name)
        }
        if case .observed(let family) = bind(.observed(ObservedFamily(declaration, problems: problems))) {
            family.add(labels, read)
        }
    }

    /// Shows the metrics of `registry` with these: how the process's own metrics reach one service's `/metrics`.
    package func include(_ registry: MetricRegistry) {
        let isNew = state.withLock { state in
            guard registry !== self, !state.included.contains(where: { $0 === registry }) else { return false }
            state.included.append(registry)
            return true
        }
        if isNew { problems.include(registry.problems) }
    }

    /// The family that is bound to this name from now on: the given one, or an equal one from before. Nil when the
    /// name cannot be bound so: the caller's family then works, but is never shown.
    private func bind(_ new: Family) -> Family? {
        let declaration = new.declaration
        guard MetricDeclaration.isValid(name: declaration.name),
            declaration.labels.allSatisfy(MetricDeclaration.isValid(label:)),
            Set(declaration.labels).count == declaration.labels.count
        else {
            problems.report(.invalidName, metric: declaration.name)
            return nil
        }
        let bound: Family? = state.withLock { state in
            guard let existing = state.families[declaration.name] else {
                // `a` and `a_total` are the same family in OpenMetrics, a histogram has `a_sum` and `a_count`.
                let names = declaration.exposedNames
                guard !names.contains(where: { state.owners[$0] != nil }) else { return nil }
                for name in names { state.owners[name] = declaration.name }
                state.families[declaration.name] = new
                return new
            }
            let known = existing.declaration
            let matches = known.kind == declaration.kind && known.labels == declaration.labels
            return matches && known.buckets == declaration.buckets && existing.isObserved == new.isObserved
                ? existing : nil
        }
        if bound == nil { problems.report(.redeclared, metric: declaration.name) }
        if !declaration.hasItsSuffixes { problems.report(.missingSuffix, metric: declaration.name) }
        return bound
    }

    // MARK: Reading

    /// Every family, ordered by name; a name of an included registry that this one has too is left out.
    package var families: [Family] {
        let (own, included) = state.withLock { ($0.families, $0.included) }
        var result = own
        for registry in included {
            for family in registry.families where result[family.declaration.name] == nil {
                result[family.declaration.name] = family
            }
        }
        return result.values.sorted { $0.declaration.name < $1.declaration.name }
    }

    /// What every bound metric says of itself, ordered by name.
    package var declarations: [MetricDeclaration] { families.map(\.declaration) }
}

extension MetricRegistry.Family {
    fileprivate var isObserved: Bool {
        if case .observed = self { return true }
        return false
    }
}
