internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import Synchronization
internal import Telemetry
internal import TelemetrySDK

/// Sends spans to one collector over OTLP/HTTP: one task on one event loop, which fetches batches, has them encoded
/// and compressed on a worker thread, and retries. Nothing here is waited for by a request; what cannot be delivered
/// is dropped and counted.
final class SpanExporter: Sendable {
    static let exported = Counter(
        "otel_sdk_exporter_span_exported_total",
        help: "Spans that a collector took (no error_type), or that were lost on the way.", labels: ["error_type"])
    static let inFlight = Gauge("otel_sdk_exporter_span_inflight", help: "Spans that are being exported.")
    static let duration = Histogram(
        "otel_sdk_exporter_operation_duration_seconds", unit: .seconds, help: "Requests to the collector.",
        labels: ["http_response_status_code", "error_type"])
    static let retries = Counter(
        "telemetry_export_retries_total", help: "Requests to the collector that were sent again, by reason.",
        labels: ["error_type"])
    static let failed = LogEvent(
        "telemetry.export_failed", level: .warn, help: "Spans were lost; logged once until an export succeeds.")
    static let recovered = LogEvent("telemetry.export_recovered", help: "Spans reach the collector again.")
    static let partial = LogEvent(
        "telemetry.export_partial", level: .warn, help: "The collector refused a part of a request for good.")

    /// OTLP: a client reads at most this much of a response.
    private static let maxResponseBytes = 4 * 1024 * 1024
    private static let userAgent = "Vitrine/\(SDKVersion.current) OTel-OTLP-Exporter-Swift/\(SDKVersion.current)"

    let processor: BatchSpanProcessor
    private let endpoint: OTLPEndpoint
    private let configuration: ExportConfiguration
    private let client: HTTPClient
    private let loop: EventLoop
    private let signal: LoopSignal
    private let worker = WorkerPool(threads: 1, capacity: 16, name: "spans")
    private let encoding: SpanEncoding
    private let logger: Logger
    private let clock = TelemetryClock.system
    private let exportedFamily: CounterFamily
    private let retriesFamily: CounterFamily
    private let durations: HistogramFamily
    private let inFlightSpans: GaugeSeries
    private let isFailing = Atomic<Bool>(false)
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(
        endpoint: OTLPEndpoint, configuration: ExportConfiguration, group: EventLoopGroup, metrics: MetricRegistry,
        logger: Logger
    ) {
        self.endpoint = endpoint
        self.configuration = configuration
        self.logger = logger
        var client = HTTPClient.Configuration()
        client.requestTimeoutMilliseconds = configuration.timeoutMilliseconds
        client.maxResponseBytes = Self.maxResponseBytes
        client.maxConnectionsPerHostAndLoop = 1
        self.client = HTTPClient(configuration: client, group: group, telemetry: nil)
        let loop = group.next()
        let signal = LoopSignal(loop: loop)
        self.loop = loop
        self.signal = signal
        processor = BatchSpanProcessor(configuration: configuration.batching, metrics: metrics) { signal.notify() }
        encoding = SpanEncoding(processor, isCompressed: configuration.isCompressed)
        exportedFamily = metrics.counter(Self.exported)
        retriesFamily = metrics.counter(Self.retries)
        durations = metrics.histogram(Self.duration)
        inFlightSpans = metrics.gauge(Self.inFlight).series()
        _ = exportedFamily.series("")
    }

    func start() {
        task.withLock { task in
            guard task == nil else { return }
            task = loop.spawn { [self] in
                // Exports belong to no request.
                await TelemetryContext.$current.withValue(TelemetryContext()) { await run() }
            }
        }
    }

    /// Sends what waits, for at most so long; what is left is lost and counted.
    func shutdown(timeoutMilliseconds: Int) async {
        start()
        processor.shutdown()
        signal.stop()
        let running = task.withLock { $0 }
        if let running {
            await Deadline.race(milliseconds: timeoutMilliseconds) { await running.value }
            running.cancel()
        }
        while case let left = processor.drain(), !left.isEmpty { lose(left.count, "already_shutdown") }
        await client.shutdown()
        worker.shutdown()
    }

    private func run() async {
        while !Task.isCancelled {
            await signal.waitForWork(milliseconds: configuration.batching.scheduleDelayMilliseconds)
            // The time is up or a batch is full: either way everything that waits now goes, batch by batch.
            var left = processor.count
            while left > 0, !Task.isCancelled {
                let batch = processor.drain()
                if batch.isEmpty { break }
                left -= batch.count
                await export(batch)
                if signal.isStopping { left = processor.count }
            }
            if signal.isStopping, processor.count == 0 { return }
        }
    }

    private func export(_ batch: SpanBatch) async {
        inFlightSpans.add(Double(batch.count))
        defer { inFlightSpans.add(-Double(batch.count)) }
        let encoding = encoding
        guard let request = try? await worker.run({ encoding.encode(batch) }) else {
            return lose(batch.count, "worker_saturated")
        }
        processor.recycle(batch)
        await deliver(request)
    }

    private func deliver(_ request: SpanEncoding.Request) async {
        let start = clock.monotonicNanoseconds()
        var patienceMilliseconds = configuration.batching.exportTimeoutMilliseconds
        for attempt in 1...configuration.retry.maxAttempts {
            switch await send(request) {
            case .accepted(let rejected, let message):
                exportedFamily.series("").add(Double(max(0, request.spanCount - rejected)))
                if rejected > 0 || !message.isEmpty { reportPartial(min(rejected, request.spanCount), message) }
                if isFailing.exchange(false, ordering: .relaxed) {
                    logger.log(Self.recovered, "the collector takes spans again")
                }
                return
            case .refused(let errorType): return lose(request.spanCount, errorType)
            case .retry(let errorType, let retryAfter):
                let now = Int64(clock.wallNanoseconds() / 1_000_000_000)
                let asked = retryAfter.flatMap {
                    configuration.retry.delayMilliseconds(retryAfter: $0, nowSeconds: now)
                }
                let delay = asked ?? configuration.retry.delayMilliseconds(attempt: attempt)
                // A wait that the collector asked for does not use up our patience.
                if let asked { patienceMilliseconds += asked }
                let spent = Int((clock.monotonicNanoseconds() - start) / 1_000_000)
                guard attempt < configuration.retry.maxAttempts, spent + delay <= patienceMilliseconds,
                    !signal.isStopping, !Task.isCancelled
                else { return lose(request.spanCount, errorType) }
                retriesFamily.series(errorType).increment()
                await signal.pause(milliseconds: delay)
            }
        }
    }

    private func send(_ request: SpanEncoding.Request) async -> ExportOutcome {
        var headers = HTTPFields()
        for (name, value) in configuration.tracesHeaders { headers.set(name, value) }
        headers.set("Content-Type", "application/x-protobuf")
        headers.set("User-Agent", Self.userAgent)
        if request.isCompressed { headers.set("Content-Encoding", "gzip") }
        let message = HTTPRequest(
            method: .post, target: endpoint.target, headers: headers, body: .bytes(request.body))
        let start = clock.monotonicNanoseconds()
        let outcome: ExportOutcome
        var status = ""
        do {
            let response = try await client.send(
                message, to: endpoint.origin, timeoutMilliseconds: configuration.timeoutMilliseconds)
            status = String(response.status.code)
            let body = (try? await response.body.collect(upTo: Self.maxResponseBytes)) ?? []
            outcome = ExportOutcome(
                status: response.status.code, retryAfter: response.headers["retry-after"], body: body)
        } catch let error as HTTPClientError {
            outcome = ExportOutcome(error)
        } catch {
            outcome = .retry(errorType: ErrorType.name(of: error), retryAfter: nil)
        }
        let seconds = Double(clock.monotonicNanoseconds() - start) / 1e9
        durations.series(status, outcome.errorType).record(seconds)
        return outcome
    }

    private func lose(_ count: Int, _ errorType: String) {
        exportedFamily.series(errorType).add(Double(count))
        if !isFailing.exchange(true, ordering: .relaxed) {
            logger.log(
                Self.failed,
                "spans are lost (\(errorType)): check that the collector at OTEL_EXPORTER_OTLP_ENDPOINT runs and accepts them",
                [Attribute(.errorType, .string(errorType))])
        }
    }

    private func reportPartial(_ rejected: Int, _ message: String) {
        if rejected > 0 { exportedFamily.series("rejected").add(Double(rejected)) }
        logger.log(
            Self.partial, "the collector refused \(rejected) spans for good",
            [Attribute(AttributeKey("error.message"), .string(message))])
    }
}

extension ExportOutcome {
    /// Empty on success.
    fileprivate var errorType: String {
        switch self {
        case .accepted: ""
        case .retry(let type, _), .refused(let type): type
        }
    }
}
