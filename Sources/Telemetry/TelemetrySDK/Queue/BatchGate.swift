internal import Synchronization
internal import Telemetry

/// What an exporter fetches from, batch by batch: the processor of spans, or that of log records.
package protocol BatchSource: AnyObject, Sendable {
    var queue: EncodedQueue { get }
    /// Takes the next batch; empty when nothing waits. Another whole batch is announced after that.
    func drain() -> EncodedBatch
    /// Takes nothing more; what waits can still be drained.
    func shutdown()
}

/// What the two processors share: a queue, whether it is open, and the announcement of whole batches.
final class BatchGate: Sendable {
    let queue: EncodedQueue
    private let isShutDown = Atomic<Bool>(false)
    private let isBatchAnnounced = Atomic<Bool>(false)
    private let batchIsReady: @Sendable () -> Void
    private let accepted: CounterSeries
    private let refusedFull: CounterSeries
    private let refusedShutDown: CounterSeries
    private let refusedTooLarge: CounterSeries

    /// - Parameter processed: counts items, without `error_type` those that were taken.
    init(
        _ limits: EncodedQueue.Limits, _ component: SDKComponent, processed family: CounterFamily,
        batchIsReady: @escaping @Sendable () -> Void
    ) {
        queue = EncodedQueue(limits)
        self.batchIsReady = batchIsReady
        accepted = family.series("", component.name, component.type)
        refusedFull = family.series("queue_full", component.name, component.type)
        refusedShutDown = family.series("already_shutdown", component.name, component.type)
        refusedTooLarge = family.series("too_large", component.name, component.type)
    }

    @inline(__always)
    func append(_ resource: ServiceResourceReference, _ encode: (inout ByteBuffer) -> Void) {
        guard !isShutDown.load(ordering: .relaxed) else { return refusedShutDown.increment() }
        switch queue.append(resource, encode) {
        case .accepted: accepted.increment()
        case .full: refusedFull.increment()
        case .tooLarge: refusedTooLarge.increment()
        case .completesBatch:
            accepted.increment()
            if !isBatchAnnounced.load(ordering: .relaxed), !isBatchAnnounced.exchange(true, ordering: .relaxed) {
                batchIsReady()
            }
        }
    }

    func drain() -> EncodedBatch {
        isBatchAnnounced.store(false, ordering: .relaxed)
        return queue.drain()
    }

    func shutdown() { isShutDown.store(true, ordering: .relaxed) }
}
