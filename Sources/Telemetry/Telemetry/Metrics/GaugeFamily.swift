package import Synchronization

/// A gauge or an up-down counter bound to a registry: one series for each set of label values.
package final class GaugeFamily: Sendable {
    package let declaration: MetricDeclaration
    private let index: SeriesIndex

    init(_ declaration: MetricDeclaration, problems: MetricProblems) {
        self.declaration = declaration
        index = SeriesIndex(declaration, problems: problems) { text in
            GaugeSeries(labelText: text, metric: declaration.name, problems: problems)
        }
    }

    // MARK: Series

    /// The series of a metric without labels. Look a series up once and keep it.
    package func series() -> GaugeSeries { cast(index.find([])) }

    /// The series of this label value.
    package func series(_ first: String) -> GaugeSeries {
        cast(index.find(first))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String) -> GaugeSeries {
        cast(index.find(first, second))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String) -> GaugeSeries {
        cast(index.find(first, second, third))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String, _ fourth: String) -> GaugeSeries {
        cast(index.find(first, second, third, fourth))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ values: String...) -> GaugeSeries { cast(index.find(values)) }
    /// The series of these label values, in the order of the declaration.
    package func series(_ values: [String]) -> GaugeSeries { cast(index.find(values)) }

    /// Every series, ordered by label values.
    package var allSeries: [GaugeSeries] { index.ordered.map(cast) }

    @inline(__always)
    private func cast(_ series: any SeriesIndex.Series) -> GaugeSeries {
        // Safety: the index holds what its `make` has made.
        unsafeDowncast(series, to: GaugeSeries.self)
    }
}

/// One series of a gauge: a single atomic, because the last value set wins whoever sets it.
package final class GaugeSeries: Sendable {
    /// `name="value",…` escaped for the exposition formats; empty without labels.
    package let labelText: [UInt8]
    /// The value, as the bits of a `Double`.
    package let bits = Atomic<UInt64>(0)

    private let metric: String
    private let problems: MetricProblems

    init(labelText: [UInt8], metric: String, problems: MetricProblems) {
        self.labelText = labelText
        self.metric = metric
        self.problems = problems
    }

    /// Sets the value.
    @inlinable @inline(__always)
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// - Parameter amount: finite, negative to take away; anything else would stay for ever: it is ignored and counted
    ///   as misuse.
    @inlinable
    package func add(_ amount: Double) {
        guard amount.isFinite else { return refuse() }
        var old = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: sum, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// Counts a value that cannot be added.
    @inline(never)
    package func refuse() { problems.report(.invalidValue, metric: metric) }

    /// The value now.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}
