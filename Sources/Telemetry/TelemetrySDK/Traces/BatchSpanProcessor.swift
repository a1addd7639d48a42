internal import Synchronization
package import Telemetry

/// Holds ended spans until the exporter fetches them (OpenTelemetry specification, batching processor).
///
/// A span goes into the queue of the thread that ended it: threads never wait for each other, only, for an instant,
/// for the exporter that empties the queue. A full queue drops the span and counts it.
package final class BatchSpanProcessor: SpanSink {
    /// The `OTEL_BSP_*` settings.
    package struct Configuration: Sendable {
        /// Spans that wait at most, for each queue (`OTEL_BSP_MAX_QUEUE_SIZE`).
        package var maxQueueSize = 2_048
        /// Spans of one request (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
        package var maxExportBatchSize = 512
        /// How long a span waits for others to come (`OTEL_BSP_SCHEDULE_DELAY`).
        package var scheduleDelayMilliseconds = 5_000
        /// How long an export with its retries may take (`OTEL_BSP_EXPORT_TIMEOUT`).
        package var exportTimeoutMilliseconds = 30_000
        package init() {}
    }

    private final class Queue: Sendable {
        let spans = Mutex(ContiguousArray<Span>())
    }

    /// Queues; threads share them by their ordinal.
    private static let queueCount = 16

    static let processed = Counter(
        "otel_sdk_processor_span_processed_total",
        help: "Spans that the batch processor took (no error_type) or dropped.", labels: ["error_type"])
    static let queueSize = Gauge("otel_sdk_processor_span_queue_size", help: "Spans that wait to be exported.")
    static let queueCapacity = Gauge(
        "otel_sdk_processor_span_queue_capacity", help: "Spans that can wait in the queue of one thread.")

    package let configuration: Configuration
    private let queues: [Queue]
    private let waiting = Atomic<Int>(0)
    private let isShutDown = Atomic<Bool>(false)
    private let isBatchAnnounced = Atomic<Bool>(false)
    private let batchIsReady: @Sendable () -> Void
    private let accepted: CounterSeries
    private let refusedFull: CounterSeries
    private let refusedShutDown: CounterSeries

    /// - Parameter batchIsReady: called on the thread of a span when a whole batch waits; once for each `drain`.
    package init(
        configuration: Configuration = Configuration(), metrics: MetricRegistry,
        batchIsReady: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.batchIsReady = batchIsReady
        queues = (0..<Self.queueCount).map { _ in Queue() }
        let family = metrics.counter(Self.processed)
        accepted = family.series("")
        refusedFull = family.series("queue_full")
        refusedShutDown = family.series("already_shutdown")
        metrics.gauge(Self.queueCapacity).series().set(Double(configuration.maxQueueSize))
        metrics.observe(Self.queueSize) { [weak self] in Double(self?.count ?? 0) }
    }

    /// Spans that wait.
    package var count: Int { waiting.load(ordering: .relaxed) }

    package func spanEnded(_ span: Span) {
        guard span.context.isSampled else { return }
        guard !isShutDown.load(ordering: .relaxed) else { return refusedShutDown.increment() }
        let queue = queues[ThreadOrdinal.current % Self.queueCount]
        let limit = configuration.maxQueueSize
        let isQueued = queue.spans.withLock { spans in
            guard spans.count < limit else { return false }
            if spans.capacity == 0 { spans.reserveCapacity(min(limit, configuration.maxExportBatchSize)) }
            spans.append(span)
            return true
        }
        guard isQueued else { return refusedFull.increment() }
        accepted.increment()
        let total = waiting.wrappingAdd(1, ordering: .relaxed).newValue
        if total >= configuration.maxExportBatchSize,
            !isBatchAnnounced.load(ordering: .relaxed), !isBatchAnnounced.exchange(true, ordering: .relaxed)
        {
            batchIsReady()
        }
    }

    /// Takes the next batch, oldest spans of each queue first; empty when nothing waits.
    package func drain() -> [Span] {
        var batch: [Span] = []
        batch.reserveCapacity(min(count, configuration.maxExportBatchSize))
        isBatchAnnounced.store(false, ordering: .relaxed)
        for queue in queues {
            let room = configuration.maxExportBatchSize - batch.count
            if room == 0 { break }
            queue.spans.withLock { spans in
                guard !spans.isEmpty else { return }
                let taken = min(room, spans.count)
                batch.append(contentsOf: spans[..<taken])
                if taken == spans.count {
                    spans.removeAll(keepingCapacity: true)
                } else {
                    spans.removeFirst(taken)
                }
            }
        }
        waiting.wrappingSubtract(batch.count, ordering: .relaxed)
        return batch
    }

    /// Takes no more spans; those that wait can still be drained.
    package func shutdown() { isShutDown.store(true, ordering: .relaxed) }
}
