internal import Synchronization
package import Telemetry

/// Holds ended spans, encoded, until the exporter fetches them (OpenTelemetry specification, batching processor).
///
/// A span is written into the queue of the thread that ended it: threads never wait for each other, only, for an
/// instant, for the exporter that empties the queue. A full queue, by spans or by bytes, drops the span and counts it.
package final class BatchSpanProcessor: SpanSink {
    /// The `OTEL_BSP_*` settings.
    package struct Configuration: Sendable {
        /// Spans that wait at most, for each queue (`OTEL_BSP_MAX_QUEUE_SIZE`).
        package var maxQueueSize = 2_048
        /// Bytes that wait at most, for each queue.
        package var maxQueueBytes = 4 * 1024 * 1024
        /// Spans of one request (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
        package var maxExportBatchSize = 512
        /// How long a span waits for others to come (`OTEL_BSP_SCHEDULE_DELAY`).
        package var scheduleDelayMilliseconds = 5_000
        /// How long an export with its retries may take (`OTEL_BSP_EXPORT_TIMEOUT`).
        package var exportTimeoutMilliseconds = 30_000
        package init() {}
    }

    /// What one thread has ended.
    private struct Queue {
        /// Full chunks, the oldest first.
        var sealed: [SpanChunk] = []
        /// The chunk that grows.
        var open: SpanChunk?
        /// An empty chunk, kept so that a queue in the steady state allocates nothing.
        var spare: SpanChunk?
        var count = 0
        var byteCount = 0
        /// The numbers of the resources that this queue has met.
        var known: [(resource: ObjectIdentifier, number: UInt32)] = []
    }

    /// On a cache line of its own, with the lock that guards it.
    private final class Shard: Sendable {
        let queue = Mutex(Queue())
    }

    /// Queues; threads share them by their ordinal.
    private static let queueCount = 16
    /// A chunk is full with so many bytes, or with the spans of a batch.
    private static let chunkBytes = 256 * 1024
    /// What an empty chunk keeps.
    private static let firstChunkBytes = 64 * 1024
    /// A span larger than this is dropped: it would not fit into a request.
    package static let maxSpanBytes = 2 * 1024 * 1024
    /// Bytes of a batch; with the envelope it stays under what collectors take.
    package static let maxBatchBytes = 4 * 1024 * 1024 - 256 * 1024

    static let processed = Counter(
        "otel_sdk_processor_span_processed_total",
        help: "Spans that the batch processor took (no error_type) or dropped.", labels: ["error_type"])
    static let queueSize = Gauge("otel_sdk_processor_span_queue_size", help: "Spans that wait to be exported.")
    static let queueCapacity = Gauge(
        "otel_sdk_processor_span_queue_capacity", help: "Spans that can wait in the queue of one thread.")

    package let configuration: Configuration
    private let shards: [Shard]
    /// Every resource that a waiting span may belong to, by its number.
    private let resources = Mutex<[ServiceResourceReference]>([])
    private let isShutDown = Atomic<Bool>(false)
    private let isBatchAnnounced = Atomic<Bool>(false)
    private let batchIsReady: @Sendable () -> Void
    private let accepted: CounterSeries
    private let refusedFull: CounterSeries
    private let refusedShutDown: CounterSeries
    private let refusedTooLarge: CounterSeries

    /// - Parameter batchIsReady: called on the thread of a span when a whole batch waits in its queue; once for each
    ///   `drain`.
    package init(
        configuration: Configuration = Configuration(), metrics: MetricRegistry,
        batchIsReady: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.batchIsReady = batchIsReady
        shards = (0..<Self.queueCount).map { _ in Shard() }
        let family = metrics.counter(Self.processed)
        accepted = family.series("")
        refusedFull = family.series("queue_full")
        refusedShutDown = family.series("already_shutdown")
        refusedTooLarge = family.series("too_large")
        metrics.gauge(Self.queueCapacity).series().set(Double(configuration.maxQueueSize))
        metrics.observe(Self.queueSize) { [weak self] in Double(self?.count ?? 0) }
    }

    /// Spans that wait.
    package var count: Int { shards.reduce(0) { sum, shard in sum + shard.queue.withLock { $0.count } } }

    private enum Admission {
        case accepted, completesBatch, full, tooLarge
    }

    package func spanEnded(_ span: Span) {
        if span.context.isSampled { keep(span) }
    }

    /// Takes a span whether it is sampled or not.
    func keep(_ span: Span) {
        guard !isShutDown.load(ordering: .relaxed) else { return refusedShutDown.increment() }
        let index = ThreadOrdinal.current % Self.queueCount
        switch shards[index].queue.withLock({ admit(span, to: &$0, index) }) {
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

    private func admit(_ span: Span, to queue: inout Queue, _ index: Int) -> Admission {
        guard queue.count < configuration.maxQueueSize, queue.byteCount < configuration.maxQueueBytes else {
            return .full
        }
        let chunk: SpanChunk
        if let open = queue.open {
            chunk = open
        } else {
            chunk = queue.spare ?? SpanChunk(capacity: Self.firstChunkBytes, queue: index)
            queue.spare = nil
            queue.open = chunk
        }
        let before = chunk.byteCount
        guard chunk.append(span, resource: number(of: span.resource, &queue), limit: Self.maxSpanBytes) else {
            return .tooLarge
        }
        queue.count &+= 1
        queue.byteCount &+= chunk.byteCount &- before
        if chunk.spanCount >= configuration.maxExportBatchSize || chunk.byteCount >= Self.chunkBytes {
            queue.sealed.append(chunk)
            queue.open = nil
            return .completesBatch
        }
        return queue.count >= configuration.maxExportBatchSize ? .completesBatch : .accepted
    }

    @inline(__always)
    private func number(of resource: ServiceResourceReference, _ queue: inout Queue) -> UInt32 {
        let identifier = ObjectIdentifier(resource)
        for entry in queue.known where entry.resource == identifier { return entry.number }
        return learn(resource, &queue)
    }

    @inline(never)
    private func learn(_ resource: ServiceResourceReference, _ queue: inout Queue) -> UInt32 {
        let number = resources.withLock { resources in
            if let index = resources.firstIndex(where: { $0 === resource }) { return UInt32(index) }
            resources.append(resource)
            return UInt32(resources.count - 1)
        }
        queue.known.append((ObjectIdentifier(resource), number))
        return number
    }

    /// The resource of that number.
    func resource(_ number: UInt32) -> ServiceResourceReference { resources.withLock { $0[Int(number)] } }

    /// Takes the next batch, the oldest spans of each queue first; empty when nothing waits.
    package func drain() -> SpanBatch {
        var batch = SpanBatch()
        isBatchAnnounced.store(false, ordering: .relaxed)
        for shard in shards {
            shard.queue.withLock { queue in
                while let chunk = queue.sealed.first ?? queue.open {
                    guard
                        batch.isEmpty
                            || batch.count + chunk.spanCount <= configuration.maxExportBatchSize
                                && batch.byteCount + chunk.byteCount <= Self.maxBatchBytes
                    else { return }
                    if queue.sealed.isEmpty { queue.open = nil } else { queue.sealed.removeFirst() }
                    queue.count -= chunk.spanCount
                    queue.byteCount -= chunk.byteCount
                    batch.append(chunk)
                }
            }
        }
        return batch
    }

    /// Gives the memory of a batch back, once it is encoded.
    package func recycle(_ batch: SpanBatch) {
        for chunk in batch.chunks {
            chunk.removeAll(keeping: Self.chunkBytes)
            shards[chunk.queue].queue.withLock { queue in
                if queue.spare == nil { queue.spare = chunk }
            }
        }
    }

    /// Takes no more spans; those that wait can still be drained.
    package func shutdown() { isShutDown.store(true, ordering: .relaxed) }
}
