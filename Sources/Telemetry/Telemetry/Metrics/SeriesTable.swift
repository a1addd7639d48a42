internal import Synchronization

/// The series of one metric by their label values. Looked up under a lock, once for each handle; bounded, with one
/// overflow series for every label set past the bound.
final class SeriesTable<Series: AnyObject & Sendable>: Sendable {
    private struct State {
        var byValues: [[String]: Series] = [:]
        var overflow: Series?
        /// Sorted by label values; nil after a series was added.
        var ordered: [Series]?
    }

    private let declaration: MetricDeclaration
    private let problems: MetricProblems
    private let make: @Sendable ([UInt8]) -> Series
    private let state = Mutex(State())
    /// The only series of a metric without labels.
    private let single: Series?

    init(
        _ declaration: MetricDeclaration, problems: MetricProblems,
        make: @escaping @Sendable (_ labelText: [UInt8]) -> Series
    ) {
        self.declaration = declaration
        self.problems = problems
        self.make = make
        // Without labels there is nothing to wait for: the series is there, at zero, from the first scrape.
        single = declaration.labels.isEmpty ? make([]) : nil
    }

    func series(_ values: [String]) -> Series {
        guard values.count == declaration.labels.count else {
            problems.report(.labelCount, metric: declaration.name)
            return overflow()
        }
        if let single { return single }
        let found: Series? = state.withLock { state in
            if let series = state.byValues[values] { return series }
            guard state.byValues.count < MetricRegistry.maxSeriesPerMetric else { return nil }
            let series = make(LabelText.encode(names: declaration.labels, values: values))
            state.byValues[values] = series
            state.ordered = nil
            return series
        }
        if let found { return found }
        problems.report(.overflow, metric: declaration.name)
        return overflow()
    }

    private func overflow() -> Series {
        state.withLock { state in
            if let series = state.overflow { return series }
            let series = make(LabelText.encode(names: ["otel_metric_overflow"], values: ["true"]))
            state.overflow = series
            return series
        }
    }

    func ordered() -> [Series] {
        state.withLock { state in
            var result: [Series]
            if let single {
                result = [single]
            } else if let ordered = state.ordered {
                result = ordered
            } else {
                result = state.byValues.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
                state.ordered = result
            }
            if let overflow = state.overflow { result.append(overflow) }
            return result
        }
    }
}
