internal import Synchronization

/// A counter bound to a registry: one series for each set of label values.
package final class CounterFamily: Sendable {
    package let declaration: MetricDeclaration
    private let table: SeriesTable<CounterSeries>

    init(_ declaration: MetricDeclaration, problems: MetricProblems) {
        self.declaration = declaration
        table = SeriesTable(declaration, problems: problems) { text in
            CounterSeries(labelText: text, metric: declaration.name, problems: problems)
        }
    }

    /// The series of these label values, in the order of the declaration. Look it up once and keep it.
    package func series(_ values: String...) -> CounterSeries { table.series(values) }
    /// The series of these label values, in the order of the declaration.
    package func series(_ values: [String]) -> CounterSeries { table.series(values) }

    /// Every series, ordered by label values.
    package var allSeries: [CounterSeries] { table.ordered() }
}

/// One series of a counter. Updates take no lock and allocate nothing.
package final class CounterSeries: Sendable {
    /// `name="value",…` escaped for the exposition formats; empty without labels.
    package let labelText: [UInt8]
    /// One cell: the value.
    package let cells: ShardedCells
    private let metric: String
    private let problems: MetricProblems

    init(labelText: [UInt8], metric: String, problems: MetricProblems) {
        self.labelText = labelText
        self.metric = metric
        self.problems = problems
        cells = ShardedCells(cellCount: 1)
    }

    /// Adds one.
    @inlinable @inline(__always)
    package func increment() { cells.add(1, toCell: 0) }

    /// - Parameter amount: zero or more, finite; anything else is ignored and counted as misuse.
    @inlinable @inline(__always)
    package func add(_ amount: Double) {
        guard amount >= 0, amount < .infinity else { return refuse() }
        cells.add(amount, toCell: 0)
    }

    /// Counts a value that a counter cannot take.
    @inline(never)
    package func refuse() { problems.report(.invalidValue, metric: metric) }

    /// The sum over all threads.
    package var value: Double {
        var sum = 0.0
        cells.forEachBlock { sum += Double(bitPattern: $0[0].load(ordering: .relaxed)) }
        return sum
    }
}
