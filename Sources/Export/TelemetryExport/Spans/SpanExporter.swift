internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import TelemetrySDK

/// Fetches spans from the processor, batch by batch, has them encoded and compressed on a worker thread, and hands them
/// to the senders. One task on one event loop; nothing here is waited for by a request.
final class SpanExporter: Sendable {
    let processor: BatchSpanProcessor
    private let senders: OTLPSenders
    private let delayMilliseconds: Int
    private let loop: EventLoop
    private let wakeUp: LoopSignal
    private let worker: WorkerPool
    private let job: Job
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// Safety (`@unchecked Sendable`): used by one job at a time of the single worker thread.
    private final class Job: @unchecked Sendable {
        private let encoder: OTLPTraceEncoder
        private let encoding = OTLPEncoding(.traces)

        init(_ processor: BatchSpanProcessor) { encoder = OTLPTraceEncoder(processor) }

        func messages(_ batch: SpanBatch, _ formats: Set<OTLPFormat>) -> [OTLPMessage] {
            encoder.withRequest(batch) { encoding.messages($0, itemCount: batch.count, formats) }
        }
    }

    init(
        senders: OTLPSenders, configuration: ExportConfiguration, group: EventLoopGroup, worker: WorkerPool,
        metrics: MetricRegistry
    ) {
        self.senders = senders
        self.worker = worker
        delayMilliseconds = configuration.batching.scheduleDelayMilliseconds
        let loop = group.next()
        let wakeUp = LoopSignal(loop: loop)
        self.loop = loop
        self.wakeUp = wakeUp
        processor = BatchSpanProcessor(configuration: configuration.batching, metrics: metrics) { wakeUp.notify() }
        job = Job(processor)
    }

    func start() {
        senders.start()
        task.withLock { task in
            guard task == nil else { return }
            task = loop.spawn { [self] in
                // Exports belong to no request.
                await TelemetryContext.$current.withValue(TelemetryContext()) { await run() }
            }
        }
    }

    /// Sends what waits, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        let clock = TelemetryClock.system
        let deadline = clock.monotonicNanoseconds() + UInt64(max(0, timeoutMilliseconds)) * 1_000_000
        start()
        processor.shutdown()
        wakeUp.stop()
        let running = task.withLock { $0 }
        if let running {
            await Deadline.race(milliseconds: timeoutMilliseconds) { await running.value }
            running.cancel()
        }
        while case let left = processor.drain(), !left.isEmpty { senders.lost(left.count, "already_shutdown") }
        let now = clock.monotonicNanoseconds()
        await senders.shutdown(timeoutMilliseconds: Int((max(now, deadline) - now) / 1_000_000))
    }

    private func run() async {
        while !Task.isCancelled {
            await wakeUp.waitForWork(milliseconds: delayMilliseconds)
            // The time is up or a batch is full: either way everything that waits now goes, batch by batch.
            var left = processor.count
            while left > 0, !Task.isCancelled {
                let batch = processor.drain()
                if batch.isEmpty { break }
                left -= batch.count
                await export(batch)
                if wakeUp.isStopping { left = processor.count }
            }
            if wakeUp.isStopping, processor.count == 0 { return }
        }
    }

    private func export(_ batch: SpanBatch) async {
        let (job, formats) = (job, senders.formats)
        guard let messages = try? await worker.run({ job.messages(batch, formats) }) else {
            return senders.lost(batch.count, "worker_saturated")
        }
        processor.recycle(batch)
        senders.offer(messages)
    }
}
