internal import Synchronization

/// Misuse of metrics: counted always, told to the log once for each metric and reason, never a crash.
package final class MetricProblems: Sendable {
    /// What was wrong, as the `reason` label names it.
    package enum Reason: String, CaseIterable, Sendable {
        /// `series` got more or fewer values than the declaration has labels.
        case labelCount = "label_count"
        /// A counter was asked to shrink, or a value was not finite.
        case invalidValue = "invalid_value"
        /// Bucket bounds were not finite, ascending and distinct.
        case invalidBuckets = "invalid_buckets"
        /// A name was declared again as something else, or is one that another metric's series have.
        case redeclared
        /// A metric or label name that Prometheus does not accept.
        case invalidName = "invalid_name"
        /// A counter whose name does not end in `_total`, an info without `_info`, a name that lacks its unit.
        case missingSuffix = "missing_suffix"
        /// A label set past the limit went to the overflow series.
        case overflow
    }

    private struct Occurrence: Hashable {
        let reason: Reason
        let metric: String
    }

    private struct State {
        var told: Set<Occurrence> = []
        var listener: (@Sendable (Reason, String) -> Void)?
        var included: [MetricProblems] = []
    }

    /// Metric and reason pairs that are told apart; the count goes on beyond.
    private static let maxTold = 1_000
    private let counts = ShardedCells(cellCount: Reason.allCases.count)
    private let state = Mutex(State())

    /// Calls `listener` with the reason and the metric's name, at its first occurrence.
    func listen(_ listener: @escaping @Sendable (Reason, String) -> Void) {
        state.withLock { $0.listener = listener }
    }

    /// Counts those of another registry here too.
    func include(_ problems: MetricProblems) { state.withLock { $0.included.append(problems) } }

    /// Counts, and tells if it is the first time.
    func report(_ reason: Reason, metric: String) {
        add(reason)
        tell(reason, metric: metric)
    }

    /// Counts only.
    func add(_ reason: Reason) { counts.increment(cell: reason.index) }

    /// Tells the log, unless it knows.
    func tell(_ reason: Reason, metric: String) {
        let listener: (@Sendable (Reason, String) -> Void)? = state.withLock { state in
            guard state.told.count < Self.maxTold,
                state.told.insert(Occurrence(reason: reason, metric: metric)).inserted
            else { return nil }
            return state.listener
        }
        listener?(reason, metric)
    }

    /// How often it happened.
    package func count(_ reason: Reason) -> UInt64 {
        var sum: UInt64 = 0
        counts.forEachBlock { sum &+= $0[reason.index].load(ordering: .relaxed) }
        return state.withLock { $0.included }.reduce(sum) { $0 &+ $1.count(reason) }
    }
}

extension MetricProblems.Reason {
    fileprivate var index: Int {
        switch self {
        case .labelCount: 0
        case .invalidValue: 1
        case .invalidBuckets: 2
        case .redeclared: 3
        case .invalidName: 4
        case .missingSuffix: 5
        case .overflow: 6
        }
    }
}
