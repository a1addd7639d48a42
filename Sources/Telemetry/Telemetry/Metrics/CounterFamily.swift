internal import Synchronization

/// A counter bound to a registry: one series for each set of label values.
package final class CounterFamily: Sendable {
    package let declaration: MetricDeclaration
    private let index: SeriesIndex

    init(_ declaration: MetricDeclaration, problems: MetricProblems) {
        self.declaration = declaration
        index = SeriesIndex(declaration, problems: problems) { text in
            CounterSeries(labelText: text, metric: declaration.name, problems: problems)
        }
    }

    // MARK: Series

    /// The series of a metric without labels. Look a series up once and keep it.
    package func series() -> CounterSeries { cast(index.find([])) }

    /// The series of this label value.
    package func series(_ first: String) -> CounterSeries {
        cast(index.find(first))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String) -> CounterSeries {
        cast(index.find(first, second))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String) -> CounterSeries {
        cast(index.find(first, second, third))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String, _ fourth: String) -> CounterSeries {
        cast(index.find(first, second, third, fourth))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ values: String...) -> CounterSeries { cast(index.find(values)) }
    /// The series of these label values, in the order of the declaration.
    package func series(_ values: [String]) -> CounterSeries { cast(index.find(values)) }

    /// Every series, ordered by label values.
    package var allSeries: [CounterSeries] { index.ordered.map(cast) }

    @inline(__always)
    private func cast(_ series: any SeriesIndex.Series) -> CounterSeries {
        // Safety: the index holds what its `make` has made.
        unsafeDowncast(series, to: CounterSeries.self)
    }
}

/// One series of a counter. Updates take no lock and allocate nothing.
package final class CounterSeries: Sendable {
    /// `name="value",…` escaped for the exposition formats; empty without labels.
    package let labelText: [UInt8]
    /// Cell 0 is the number of increments by one, cell 1 the sum of the other amounts as a `Double`: adding an integer
    /// takes half the time of adding a fraction.
    package let cells: ShardedCells
    /// Made with the first exemplar: most counters never see one.
    private let exemplars = AtomicLazyReference<ExemplarTable>()
    private let metric: String
    private let problems: MetricProblems

    init(labelText: [UInt8], metric: String, problems: MetricProblems) {
        self.labelText = labelText
        self.metric = metric
        self.problems = problems
        cells = ShardedCells(cellCount: 2)
    }

    /// Adds one.
    @inlinable @inline(__always)
    package func increment() { cells.increment(cell: 0) }

    /// Adds one; the trace of `exemplar`, when sampled, is kept as the series' exemplar.
    package func increment(exemplar: SpanContext?) {
        increment()
        if let exemplar, exemplar.isSampled { offer(1, exemplar) }
    }

    /// - Parameter amount: zero or more, finite; anything else is ignored and counted as misuse.
    @inlinable @inline(__always)
    package func add(_ amount: Double) {
        guard amount >= 0, amount < .infinity else { return refuse() }
        cells.add(amount, toCell: 1)
    }

    /// Adds; the trace of `exemplar`, when sampled, is kept as the series' exemplar.
    /// - Parameter amount: zero or more, finite; anything else is ignored and counted as misuse.
    package func add(_ amount: Double, exemplar: SpanContext?) {
        add(amount)
        if let exemplar, exemplar.isSampled, amount >= 0, amount < .infinity { offer(amount, exemplar) }
    }

    private func offer(_ amount: Double, _ context: SpanContext) {
        let table = exemplars.load() ?? exemplars.storeIfNil(ExemplarTable(bucketCount: 1))
        table.offer(amount, context, bucket: 0)
    }

    /// Counts a value that a counter cannot take.
    @inline(never)
    package func refuse() { problems.report(.invalidValue, metric: metric) }

    /// The sum over all threads.
    package var value: Double {
        var count: UInt64 = 0
        var sum = 0.0
        cells.forEachBlock {
            count &+= $0[0].load(ordering: .relaxed)
            sum += Double(bitPattern: $0[1].load(ordering: .relaxed))
        }
        return Double(count) + sum
    }

    /// The last exemplar; nil when there is none.
    package var exemplar: Exemplar? { exemplars.load()?.snapshot().first ?? nil }
}
