internal import Synchronization

/// A measured value with the trace that it was measured in (OpenMetrics 1.0, section Exemplars).
package struct Exemplar: Sendable {
    package let traceID: TraceID
    package let spanID: SpanID
    package let value: Double
    /// Since 1970 UTC.
    package let wallNanoseconds: UInt64
}

/// The last exemplar of each bucket of a series. A writer that finds the table busy leaves its exemplar out: nobody
/// ever waits here.
package final class ExemplarTable: @unchecked Sendable {
    // Safety (`@unchecked Sendable`): `entries` is touched only by whoever turned `isBusy` on.
    private let isBusy = Atomic<Bool>(false)
    private var entries: [Exemplar?] = []
    private let bucketCount: Int

    /// Attempts of a reader to find the table free, while a writer copies 40 bytes.
    private static let readAttempts = 10_000

    init(bucketCount: Int) { self.bucketCount = bucketCount }

    /// Keeps a value as the exemplar of its bucket, unless the table is busy.
    package func offer(_ value: Double, _ context: SpanContext, bucket: Int) {
        guard !isBusy.exchange(true, ordering: .acquiring) else { return }
        // Most series never see a sampled trace: the storage is made with the first one.
        if entries.isEmpty { entries = Array(repeating: nil, count: bucketCount) }
        entries[bucket] = Exemplar(
            traceID: context.traceID, spanID: context.spanID, value: value,
            wallNanoseconds: TelemetryClock.coarseWallNanoseconds())
        isBusy.store(false, ordering: .releasing)
    }

    /// The exemplars by bucket; empty when there are none, or when writers never left a gap.
    package func snapshot() -> [Exemplar?] {
        for _ in 0..<Self.readAttempts where !isBusy.exchange(true, ordering: .acquiring) {
            // A real copy: a shared one would make the next writer pay for it.
            let copy = entries.map { $0 }
            isBusy.store(false, ordering: .releasing)
            return copy
        }
        return []
    }
}
