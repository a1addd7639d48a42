internal import CThread
internal import Synchronization

/// A histogram bound to a registry: one series for each set of label values.
package final class HistogramFamily: Sendable {
    package let declaration: MetricDeclaration
    /// Its series have the exponential form, too.
    package let isExponential: Bool
    private let index: SeriesIndex

    /// - Parameter isExponential: its series keep the exponential form, too.
    init(_ declaration: MetricDeclaration, problems: MetricProblems, isExponential: Bool) {
        self.declaration = declaration
        self.isExponential = isExponential
        let bounds = HistogramFamily.validBounds(declaration.buckets)
        if bounds != declaration.buckets { problems.report(.invalidBuckets, metric: declaration.name) }
        index = SeriesIndex(declaration, problems: problems) { text in
            HistogramSeries(
                labelText: text, bounds: bounds, metric: declaration.name, problems: problems,
                isExponential: isExponential)
        }
    }

    /// Finite, ascending, without repetition.
    private static func validBounds(_ buckets: [Double]) -> [Double] {
        var result: [Double] = []
        for bound in buckets.filter(\.isFinite).sorted() where bound != result.last { result.append(bound) }
        return result
    }

    // MARK: Series

    /// The series of a metric without labels. Look a series up once and keep it.
    package func series() -> HistogramSeries { cast(index.find([])) }

    /// The series of this label value.
    package func series(_ first: String) -> HistogramSeries {
        cast(index.find(first))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String) -> HistogramSeries {
        cast(index.find(first, second))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String) -> HistogramSeries {
        cast(index.find(first, second, third))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ first: String, _ second: String, _ third: String, _ fourth: String) -> HistogramSeries {
        cast(index.find(first, second, third, fourth))
    }

    /// The series of these label values, in the order of the declaration.
    package func series(_ values: String...) -> HistogramSeries { cast(index.find(values)) }
    /// The series of these label values, in the order of the declaration.
    package func series(_ values: [String]) -> HistogramSeries { cast(index.find(values)) }

    /// Every series, ordered by label values.
    package var allSeries: [HistogramSeries] { index.ordered.map(cast) }

    @inline(__always)
    private func cast(_ series: any SeriesIndex.Series) -> HistogramSeries {
        // Safety: the index holds what its `make` has made.
        unsafeDowncast(series, to: HistogramSeries.self)
    }
}

/// One series of a histogram. Cell 0 of each thread's block is the sum, cell 1 + i the count of bucket i (not
/// cumulative), the last one that of `+Inf`. Updates take no lock and allocate nothing.
package final class HistogramSeries: Sendable {
    /// `name="value",…` escaped for the exposition formats; empty without labels.
    package let labelText: [UInt8]
    /// Upper bounds, ascending, without `+Inf`.
    package let bounds: [Double]
    /// The sum and the counts of the buckets.
    package let cells: ShardedCells
    /// The last exemplar of each bucket.
    package let exemplars: ExemplarTable
    /// The same values in the exponential form; nil when nobody wants it.
    package let exponential: ExponentialShards?
    private let metric: String
    private let problems: MetricProblems

    init(
        labelText: [UInt8], bounds: [Double], metric: String, problems: MetricProblems, isExponential: Bool = false
    ) {
        self.labelText = labelText
        self.bounds = bounds
        exponential = isExponential ? ExponentialShards() : nil
        self.metric = metric
        self.problems = problems
        cells = ShardedCells(cellCount: bounds.count + 2)
        exemplars = ExemplarTable(bucketCount: bounds.count + 1)
    }

    /// Records a value; the trace of `exemplar`, when sampled, is kept as the bucket's exemplar.
    /// - Parameter value: finite; anything else is ignored and counted as misuse.
    @inlinable
    package func record(_ value: Double, exemplar: SpanContext? = nil) {
        guard value.isFinite else { return refuse() }
        let bucket = bounds.withUnsafeBufferPointer { bounds in
            var index = 0
            while index < bounds.count, value > bounds[index] { index &+= 1 }
            return index
        }
        let ordinal = Int(vitrine_thread_ordinal())
        if ordinal < ShardedCells.exclusiveThreads {
            let block = cells.block(ordinal)
            ShardedCells.add(value, to: block, 0)
            let cell = bucket &+ 1
            block[cell].store(block[cell].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        } else {
            let block = cells.block(ShardedCells.exclusiveThreads)
            ShardedCells.addShared(value, to: block, 0)
            block[bucket &+ 1].wrappingAdd(1, ordering: .relaxed)
        }
        // Afterwards: who reads the exponential form first never sees fewer values in the buckets.
        if let exponential { exponential.record(value, ordinal: ordinal) }
        if let exemplar, exemplar.isSampled { exemplars.offer(value, exemplar, bucket: bucket) }
    }

    /// Counts a value that a histogram cannot take.
    @inline(never)
    package func refuse() { problems.report(.invalidValue, metric: metric) }

    /// The sum of the values and the count of each bucket, `+Inf` last, not cumulative.
    package var snapshot: (sum: Double, counts: [UInt64]) {
        var sum = 0.0
        var counts = [UInt64](repeating: 0, count: bounds.count + 1)
        cells.forEachBlock { block in
            sum += Double(bitPattern: block[0].load(ordering: .relaxed))
            for index in counts.indices { counts[index] &+= block[index + 1].load(ordering: .relaxed) }
        }
        return (sum, counts)
    }
}
