package import Telemetry

/// Holds log records, encoded, until the exporter fetches them (OpenTelemetry specification, batching processor). One for
/// the process; each service writes through a sink that names its resource.
package final class BatchLogProcessor: BatchSource {
    static let processed = Counter(
        "otel_sdk_processor_log_processed_total",
        help: "Log records that the batch processor took (no error_type) or dropped.",
        labels: ["error_type"] + SDKComponent.labels)
    static let queueSize = Gauge(
        "otel_sdk_processor_log_queue_size",
        help: "Log records that wait to be exported in the fullest queue of a thread: at the capacity it drops.",
        labels: SDKComponent.labels)
    static let queueCapacity = Gauge(
        "otel_sdk_processor_log_queue_capacity", help: "Log records that can wait in the queue of one thread.",
        labels: SDKComponent.labels)

    /// Log records that wait at most, for each thread (`OTEL_BLRP_MAX_QUEUE_SIZE`).
    package static let usualQueueSize = 2_048
    private static let maxQueueBytes = 4 * 1024 * 1024

    private let gate: BatchGate

    /// - Parameter batchIsReady: called on the thread of a record when a whole batch waits in its queue.
    package init(
        maxQueueSize: Int = BatchLogProcessor.usualQueueSize, maxExportBatchSize: Int = 512, metrics: MetricRegistry,
        batchIsReady: @escaping @Sendable () -> Void
    ) {
        let component = SDKComponent.logProcessor
        gate = BatchGate(
            EncodedQueue.Limits(
                maxItems: maxQueueSize, maxBytes: Self.maxQueueBytes, maxBatch: min(maxExportBatchSize, maxQueueSize)),
            component, processed: metrics.counter(Self.processed), batchIsReady: batchIsReady)
        metrics.gauge(Self.queueCapacity).series(component.name, component.type).set(Double(maxQueueSize))
        metrics.observe(Self.queueSize, labels: component.values) { [weak self] in
            Double(self?.queue.fullestCount ?? 0)
        }
    }

    package var queue: EncodedQueue { gate.queue }
    package func drain() -> EncodedBatch { gate.drain() }
    package func shutdown() { gate.shutdown() }

    /// Where a service's log records go.
    package func sink(for resource: ServiceResource) -> any LogRecordSink {
        ServiceSink(gate: gate, resource: ServiceResourceReference(resource))
    }

    private final class ServiceSink: LogRecordSink {
        private let gate: BatchGate
        private let resource: ServiceResourceReference

        init(gate: BatchGate, resource: ServiceResourceReference) {
            self.gate = gate
            self.resource = resource
        }

        func record(_ record: LogRecord, _ fields: borrowing Swift.Span<Attribute>) {
            // The closure of the lock may not capture a span: the record is written beforehand.
            var bytes = ByteBuffer(capacity: 512)
            record.appendOTLP(fields, to: &bytes)
            bytes.withBytes { encoded in
                guard let address = encoded.bindMemory(to: UInt8.self).baseAddress else { return }
                gate.append(resource) { $0.append(address, count: encoded.count) }
            }
        }
    }
}

extension LogRecord {
    /// `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`, as its default is.
    private static let maxAttributes = 128

    /// Appends field 2 of a `ScopeLogs` message (OTLP 1.11): the whole record, with the names that OpenTelemetry has for
    /// what a line writes in ECS.
    func appendOTLP(_ fields: borrowing Swift.Span<Attribute>, to buffer: inout ByteBuffer) {
        let record = buffer.beginMessage(2, expectedLengthBytes: 2)
        buffer.appendField(1, fixed64: wallNanoseconds)
        buffer.appendField(2, varint: UInt64(event.level.rawValue))
        buffer.appendField(3, event.level.name.uppercased())
        buffer.appendMessageHead(5, length: ByteBuffer.anyValueLength(.string(message)))
        buffer.appendAnyValue(.string(message))
        buffer.appendAttribute(6, "log.logger", text: logger)
        if let requestID = context.requestID { buffer.appendAttribute(6, "http.request.id", text: requestID) }
        var dropped = 0
        // What ECS calls the type of an error is that of the exception when its message or trace is told, too.
        let hasException = fields.indices.contains { fields[$0].key.inOpenTelemetry.isOfException }
        for index in fields.indices {
            // A record names a key once: ours and the first one stay, as in the line.
            let key = fields[index].key.inOTLP(hasException)
            guard index < Self.maxAttributes, key != .logger, key != .requestID || context.requestID == nil,
                !(0..<index).contains(where: { fields[$0].key.inOTLP(hasException) == key })
            else {
                dropped += 1
                continue
            }
            buffer.appendAttribute(6, key.name, fields[index].safeValue)
        }
        if dropped > 0 { buffer.appendField(7, varint: UInt64(dropped)) }
        if let span = context.span {
            buffer.appendField(8, fixed32: span.isSampled ? 1 : 0)
            buffer.appendField(9, traceID: span.traceID)
            buffer.appendField(10, spanID: span.spanID)
        }
        buffer.appendField(11, fixed64: wallNanoseconds)
        buffer.appendField(12, event.name)
        buffer.endMessage(record)
    }
}

extension AttributeKey {
    fileprivate static let logger = AttributeKey("log.logger")
    fileprivate static let requestID = AttributeKey("http.request.id")
    private static let exceptionType = AttributeKey("exception.type")
    private static let exceptionMessage = AttributeKey("exception.message")
    private static let exceptionStackTrace = AttributeKey("exception.stacktrace")

    fileprivate var isOfException: Bool { self == Self.exceptionMessage || self == Self.exceptionStackTrace }

    fileprivate func inOTLP(_ hasException: Bool) -> AttributeKey {
        hasException && self == .errorType ? Self.exceptionType : inOpenTelemetry
    }
}

extension Attribute {
    fileprivate var safeValue: AttributeValue { key.isSensitive ? .string(Redaction.text) : value }
}
