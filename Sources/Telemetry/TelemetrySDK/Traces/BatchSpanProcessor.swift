package import Telemetry

/// Holds ended spans, encoded, until the exporter fetches them (OpenTelemetry specification, batching processor). Whatever
/// it cannot take it drops and counts; it never blocks.
package final class BatchSpanProcessor: SpanSink, BatchSource {
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

    static let processed = Counter(
        "otel_sdk_processor_span_processed_total",
        help: "Spans that the batch processor took (no error_type) or dropped.",
        labels: ["error_type"] + SDKComponent.labels)
    static let queueSize = Gauge(
        "otel_sdk_processor_span_queue_size",
        help: "Spans that wait to be exported in the fullest queue of a thread: at the capacity it drops.",
        labels: SDKComponent.labels)
    static let queueCapacity = Gauge(
        "otel_sdk_processor_span_queue_capacity", help: "Spans that can wait in the queue of one thread.",
        labels: SDKComponent.labels)

    package let configuration: Configuration
    private let gate: BatchGate

    /// - Parameter batchIsReady: called on the thread of a span when a whole batch waits in its queue; once for each
    ///   `drain`.
    package init(
        configuration: Configuration = Configuration(), metrics: MetricRegistry,
        batchIsReady: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        let component = SDKComponent.spanProcessor
        gate = BatchGate(
            EncodedQueue.Limits(
                maxItems: configuration.maxQueueSize, maxBytes: configuration.maxQueueBytes,
                maxBatch: configuration.maxExportBatchSize),
            component, processed: metrics.counter(Self.processed), batchIsReady: batchIsReady)
        metrics.gauge(Self.queueCapacity).series(component.name, component.type).set(Double(configuration.maxQueueSize))
        metrics.observe(Self.queueSize, labels: component.values) { [weak self] in
            Double(self?.queue.fullestCount ?? 0)
        }
    }

    package var queue: EncodedQueue { gate.queue }
    /// Spans that wait.
    package var count: Int { gate.queue.count }

    package func spanEnded(_ span: Span) {
        if span.context.isSampled { keep(span) }
    }

    /// Takes a span whether it is sampled or not.
    func keep(_ span: Span) { gate.append(span.resource) { span.appendOTLP(to: &$0) } }

    package func drain() -> EncodedBatch { gate.drain() }

    /// Gives the memory of a batch back, once it is encoded.
    package func recycle(_ batch: EncodedBatch) { gate.queue.recycle(batch) }

    package func shutdown() { gate.shutdown() }
}
