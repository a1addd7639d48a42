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
        /// A name was declared again as something else.
        case redeclared
        /// A metric or label name that Prometheus does not accept.
        case invalidName = "invalid_name"
        /// A label set past the limit went to the overflow series.
        case overflow
    }

    private struct State {
        var counts: [Reason: UInt64] = [:]
        var told: Set<String> = []
        var listener: (@Sendable (Reason, String) -> Void)?
    }

    /// Metric and reason pairs that are told apart; the count goes on beyond.
    private static let maxTold = 1_000
    private let state = Mutex(State())

    /// Calls `listener` with the reason and the metric's name, at its first occurrence.
    func listen(_ listener: @escaping @Sendable (Reason, String) -> Void) {
        state.withLock { $0.listener = listener }
    }

    func report(_ reason: Reason, metric: String) {
        let listener: (@Sendable (Reason, String) -> Void)? = state.withLock { state in
            state.counts[reason, default: 0] += 1
            guard state.told.count < Self.maxTold, state.told.insert("\(reason.rawValue) \(metric)").inserted else {
                return nil
            }
            return state.listener
        }
        listener?(reason, metric)
    }

    /// How often it happened.
    package func count(_ reason: Reason) -> UInt64 { state.withLock { $0.counts[reason] ?? 0 } }
}
