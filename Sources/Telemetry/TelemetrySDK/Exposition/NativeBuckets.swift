internal import Telemetry

/// The buckets of one sign as a native histogram of Prometheus tells them: runs of neighbours, and each count as its
/// difference to the one before. Its bucket `i` ends where that of OpenTelemetry begins: the indices are one higher.
struct NativeBuckets {
    struct Run: Equatable {
        /// Of the first run the index of its first bucket, of others the buckets left out since the run before.
        let offset: Int
        var length: Int
    }

    /// The schemas that Prometheus knows; they are OpenTelemetry's scales.
    static let schemas = -4...8
    /// So few empty buckets are told rather than left out: a run takes more bytes.
    private static let maxGap = 2

    private(set) var runs: [Run] = []
    private(set) var deltas: [Int64] = []

    init(_ buckets: ExponentialBuckets) {
        var previous: Int64 = 0
        var next = 0
        func add(_ count: UInt64) {
            let count = Int64(clamping: count)
            deltas.append(count - previous)
            previous = count
            runs[runs.count - 1].length += 1
        }
        for (position, count) in buckets.counts.enumerated() where count > 0 {
            let index = buckets.offset + position + 1
            let gap = index - next
            if runs.isEmpty || gap > Self.maxGap {
                runs.append(Run(offset: gap, length: 0))
            } else {
                for _ in 0..<gap { add(0) }
            }
            add(count)
            next = index + 1
        }
    }
}
