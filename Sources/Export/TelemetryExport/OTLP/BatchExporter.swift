internal import EventLoop
internal import Telemetry
internal import TelemetrySDK

/// Fetches spans or log records from their processor, batch by batch, has them encoded and compressed on a worker thread,
/// and hands them to the senders. One task on one event loop; nothing here is waited for by a request.
final class BatchExporter: Sendable {
    private let source: any BatchSource
    private let senders: OTLPSenders
    private let delayMilliseconds: Int
    private let task: LoopTask
    private let worker: WorkerPool
    private let job: Job

    /// Safety (`@unchecked Sendable`): used by one job at a time of the single worker thread.
    private final class Job: @unchecked Sendable {
        private let encoder: OTLPBatchEncoder
        private let encoding: OTLPEncoding

        init(_ signal: OTLPSignal, _ queue: EncodedQueue) {
            encoder = OTLPBatchEncoder(queue)
            encoding = OTLPEncoding(signal)
        }

        func messages(_ batch: EncodedBatch, _ formats: Set<OTLPFormat>) -> [OTLPMessage] {
            encoder.withRequest(batch) { encoding.messages($0, itemCount: batch.count, formats) }
        }
    }

    /// - Parameters:
    ///   - delayMilliseconds: how long an item waits for others.
    ///   - task: woken by the source when a whole batch waits.
    init(
        _ signal: OTLPSignal, source: any BatchSource, senders: OTLPSenders, delayMilliseconds: Int, task: LoopTask,
        worker: WorkerPool
    ) {
        self.source = source
        self.senders = senders
        self.worker = worker
        self.delayMilliseconds = delayMilliseconds
        self.task = task
        job = Job(signal, source.queue)
    }

    func start() {
        senders.start()
        task.start { [self] in await run() }
    }

    /// Sends what waits, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        start()
        source.shutdown()
        await task.stop(by: deadline)
        while case let left = source.drain(), !left.isEmpty { senders.lost(left.count, "already_shutdown") }
        await senders.shutdown(timeoutMilliseconds: deadline.millisecondsLeft)
    }

    private func run() async {
        while !Task.isCancelled {
            await task.wakeUp.waitForWork(milliseconds: delayMilliseconds)
            // The time is up or a batch is full: either way everything that waits now goes, batch by batch.
            var left = source.queue.count
            while left > 0, !Task.isCancelled {
                let batch = source.drain()
                if batch.isEmpty { break }
                left -= batch.count
                await export(batch)
                if task.wakeUp.isStopping { left = source.queue.count }
            }
            if task.wakeUp.isStopping, source.queue.count == 0 { return }
        }
    }

    private func export(_ batch: EncodedBatch) async {
        let (job, formats) = (job, senders.wantedFormats())
        guard !formats.isEmpty else {
            senders.loseUnasked(batch.count)
            return source.queue.recycle(batch)
        }
        guard let messages = try? await worker.run({ job.messages(batch, formats) }) else {
            return senders.lost(batch.count, "worker_saturated")
        }
        source.queue.recycle(batch)
        senders.offer(messages)
    }
}
