internal import EventLoop
internal import Synchronization
internal import Telemetry

/// Sends the requests of one signal to one collector, on a task of one event loop: a bounded queue, retries, and a folder
/// for what the collector cannot take. What it refuses for good it is asked for less (`BatchLimit`) and less often
/// (`RefusalBreaker`). What is lost is counted by reason; nothing here is waited for by a request.
final class OTLPSender: Sendable {
    /// Bytes that wait in memory.
    static let maxQueuedBytes = 8 * 1024 * 1024
    /// How often somebody looks whether there is work that nobody announced.
    private static let idleMilliseconds = 60_000

    private struct Queue {
        var messages: [OTLPMessage] = []
        var byteCount = 0
        var isShutDown = false
    }

    let target: OTLPTarget
    private let signal: OTLPSignal
    private let retry: RetryPolicy
    /// For one message, retries included.
    private let patienceMilliseconds: Int
    private let client: CollectorClient
    private let task: LoopTask
    private let worker: WorkerPool
    private let spool: DiskSpool?
    private let logger: Logger
    private let instruments: OTLPInstruments
    private let clock = TelemetryClock.system
    private let queue = Mutex(Queue())
    private let appetite = CollectorAppetite()
    private let gate: RetryGate
    /// Whether the last attempt failed; what fails again then does not get all its retries.
    private let isFailing = Atomic<Bool>(false)

    /// - Parameter instruments: whose `component` names this sender, and its folder of the spool.
    init(
        _ signal: OTLPSignal, target: OTLPTarget, configuration: ExportConfiguration, group: EventLoopGroup,
        worker: WorkerPool, instruments: OTLPInstruments, logger: Logger
    ) {
        self.signal = signal
        self.target = target
        self.worker = worker
        self.instruments = instruments
        self.logger = logger
        retry = configuration.retry
        patienceMilliseconds = configuration.exportTimeoutMilliseconds(signal)
        client = CollectorClient(target, group: group, instruments: instruments)
        task = LoopTask(loop: group.next())
        spool = Self.openSpool(configuration, instruments, logger)
        gate = RetryGate(retry, hasSpool: spool != nil)
        if let spool { instruments.observe(spool: { [weak spool] in Double(spool?.byteCount ?? 0) }) }
    }

    private static func openSpool(
        _ configuration: ExportConfiguration, _ instruments: OTLPInstruments, _ logger: Logger
    ) -> DiskSpool? {
        guard let folder = configuration.spoolFolder else { return nil }
        let name = instruments.component.replacing("/", with: "-")
        do {
            return try DiskSpool(folder: folder + "/" + name, limitBytes: configuration.spoolBytes) { items, reason in
                instruments.lost(items, reason)
            }
        } catch {
            logger.log(TelemetryPipeline.settingIgnored, "VITRINE_OTLP_SPOOL is ignored: \(error)")
            return nil
        }
    }

    // MARK: The queue

    /// Queues a message; when too much waits it goes to disk, or is lost and counted. Any thread.
    func offer(_ message: OTLPMessage) {
        enum Place { case queued, full, shutDown }
        let place = queue.withLock { queue -> Place in
            if queue.isShutDown { return .shutDown }
            guard queue.messages.isEmpty || queue.byteCount + message.body.count <= Self.maxQueuedBytes else {
                return .full
            }
            queue.messages.append(message)
            queue.byteCount += message.body.count
            return .queued
        }
        switch place {
        case .queued:
            instruments.inFlight.add(Double(message.itemCount))
            task.wakeUp.notify()
        case .full: keepOnDisk(message, otherwise: "queue_full")
        case .shutDown: instruments.lost(message.itemCount, "already_shutdown")
        }
    }

    /// Whether the collector has refused so much that nothing need be encoded for it now. Any thread.
    var isPausing: Bool { appetite.isPausing }

    /// Counts items for which no message was made or sent, because the collector refuses everything.
    func loseUnasked(_ itemCount: Int) { instruments.lost(itemCount, appetite.errorType) }

    private func next() -> OTLPMessage? {
        queue.withLock { queue in
            guard !queue.messages.isEmpty else { return nil }
            let message = queue.messages.removeFirst()
            queue.byteCount -= message.body.count
            return message
        }
    }

    /// Gives a message to the spool, without waiting.
    private func keepOnDisk(_ message: OTLPMessage, otherwise reason: String) {
        guard let spool else { return instruments.lost(message.itemCount, reason) }
        if !worker.submit({ spool.store(message) }) { instruments.lost(message.itemCount, "worker_saturated") }
    }

    // MARK: The task

    func start() { task.start { [self] in await run() } }

    /// Sends what waits, for at most so long; what is left goes to disk, or is lost and counted.
    func shutdown(timeoutMilliseconds: Int) async {
        start()
        await task.stop(by: Deadline(milliseconds: timeoutMilliseconds))
        queue.withLock { $0.isShutDown = true }
        while let message = next() {
            instruments.inFlight.add(-Double(message.itemCount))
            if let spool {
                _ = try? await worker.run { spool.store(message) }
            } else {
                instruments.lost(message.itemCount, "already_shutdown")
            }
        }
        await client.shutdown()
    }

    private func run() async {
        while !Task.isCancelled {
            while let message = next() {
                await deliver([message])
                instruments.inFlight.add(-Double(message.itemCount))
                if Task.isCancelled { return }
            }
            if task.wakeUp.isStopping { return }
            if let spool, !spool.isEmpty {
                if gate.millisecondsLeft == 0, await sendFromDisk(spool) { continue }
                // Work that comes meanwhile ends the wait and goes to disk, too: the collector is left alone.
                let left = gate.millisecondsLeft
                await task.wakeUp.waitForWork(milliseconds: left > 0 ? left : RetryGate.spoolPauseMilliseconds)
            } else {
                await task.wakeUp.waitForWork(milliseconds: Self.idleMilliseconds)
            }
        }
    }

    /// Sends the oldest message on disk.
    /// - Returns: whether another one may follow at once.
    private func sendFromDisk(_ spool: DiskSpool) async -> Bool {
        let stored: (id: UInt64, message: OTLPMessage)?
        do { stored = try await worker.run { spool.oldest() } } catch { return false }
        guard let (id, message) = stored else { return true }
        guard appetite.admitsRequest() else { return false }
        switch await send(message) {
        case .accepted(let rejected, let text): accepted(message, rejected, text)
        case .refused(let errorType): lose(message, errorType)
        case .tooLarge(let errorType): await deliver(await parts(ofTooLarge: message, errorType))
        case .retry(_, let retryAfter, _):
            _ = gate.close(attempt: 1, retryAfter: retryAfter)
            return false
        }
        _ = try? await worker.run { spool.remove(id) }
        return true
    }

    /// What became of a message.
    private enum Delivery {
        /// Taken, or lost or put aside, and counted.
        case settled
        case tooLarge(errorType: String)
    }

    /// Sends messages one after the other, in parts where the collector finds them too large, or is known to. Bounded: a
    /// collector that refuses the smallest parts, too, is left alone.
    private func deliver(_ messages: [OTLPMessage]) async {
        var left: [OTLPMessage] = messages.reversed()
        while let message = left.popLast() {
            guard !Task.isCancelled else {
                giveUp(message, "already_shutdown")
                continue
            }
            guard await mayAsk() else {
                keepOnDisk(message, otherwise: "retry_after")
                continue
            }
            if message.itemCount > 1, !appetite.isPausing,
                let limit = appetite.limit(exceededBy: message.plainByteCount),
                let parts = await parts(of: message, limitBytes: limit)
            {
                left += parts.reversed()
                continue
            }
            guard appetite.admitsRequest() else {
                loseUnasked(message.itemCount)
                tellFailure(appetite.errorType, "", isLost: true)
                continue
            }
            if case .tooLarge(let errorType) = await attempt(message) {
                left += await parts(ofTooLarge: message, errorType).reversed()
            }
        }
    }

    private func parts(of message: OTLPMessage, limitBytes: Int) async -> [OTLPMessage]? {
        let signal = signal
        return try? await worker.run { message.parts(signal, limitBytes: limitBytes) }
    }

    /// Takes note that the collector found a message too large.
    /// - Returns: its parts; none when it cannot be cut and is lost.
    private func parts(ofTooLarge message: OTLPMessage, _ errorType: String) async -> [OTLPMessage] {
        let byteCount = message.plainByteCount
        appetite.foundTooLarge(byteCount, canBeCut: message.itemCount > 1, errorType)
        if let parts = await parts(of: message, limitBytes: byteCount / 2) { return parts }
        loseTooLarge(message, errorType)
        return []
    }

    /// Waits until the collector may be asked again, but for the end of the process.
    /// - Returns: false, without waiting, when what is to be sent can wait on disk.
    private func mayAsk() async -> Bool {
        let left = gate.millisecondsLeft
        guard left > 0 else { return true }
        if spool != nil { return false }
        await task.wakeUp.pause(milliseconds: left)
        return true
    }

    private func send(_ message: OTLPMessage) async -> ExportOutcome {
        let outcome = await client.send(message)
        if case .retry = outcome { gate.failed() } else { gate.answered() }
        return outcome
    }

    /// Sends a message, again and again while the collector may take it later.
    private func attempt(_ message: OTLPMessage) async -> Delivery {
        let start = clock.monotonicNanoseconds()
        var patience = patienceMilliseconds
        // While the collector is known to be away what can go to disk goes there after one attempt.
        let attempts = spool != nil && isFailing.load(ordering: .relaxed) ? 1 : retry.maxAttempts
        for attempt in 1...attempts {
            switch await send(message) {
            case .accepted(let rejected, let text):
                accepted(message, rejected, text)
                return .settled
            case .tooLarge(let errorType): return .tooLarge(errorType: errorType)
            case .refused(let errorType):
                lose(message, errorType)
                return .settled
            case .retry(let errorType, let retryAfter, let detail):
                let (delay, asked) = gate.close(attempt: attempt, retryAfter: retryAfter)
                // A wait that the collector asked for does not use up our patience.
                patience += asked
                let spent = Int((clock.monotonicNanoseconds() - start) / 1_000_000)
                guard attempt < attempts, spent + delay <= patience, !task.wakeUp.isStopping, !Task.isCancelled else {
                    giveUp(message, errorType, detail)
                    return .settled
                }
                instruments.retried(errorType)
                await task.wakeUp.pause(milliseconds: delay)
            }
        }
        return .settled
    }

    // MARK: Outcomes

    /// Counts items that were lost before a message was made of them.
    func lost(_ count: Int, _ errorType: String) { instruments.lost(count, errorType) }

    private func accepted(_ message: OTLPMessage, _ rejected: Int, _ text: String) {
        appetite.took(message.plainByteCount)
        let rejected = min(rejected, message.itemCount)
        instruments.exported(message.itemCount - rejected)
        if rejected > 0 || !text.isEmpty {
            if rejected > 0 { instruments.lost(rejected, "rejected") }
            logger.log(
                OTLPInstruments.partial, "the collector refused \(rejected) \(signal.items) for good",
                [Attribute(AttributeKey("error.message"), .string(text))])
        }
        if isFailing.exchange(false, ordering: .relaxed) {
            logger.log(OTLPInstruments.recovered, "the collector takes \(signal.items) again")
        }
    }

    /// The collector cannot take the message now.
    private func giveUp(_ message: OTLPMessage, _ errorType: String, _ detail: String = "") {
        tellFailure(errorType, detail, isLost: spool == nil)
        keepOnDisk(message, otherwise: errorType)
    }

    /// The collector will never take the message.
    private func lose(_ message: OTLPMessage, _ errorType: String) {
        appetite.refused(errorType)
        instruments.lost(message.itemCount, errorType)
        tellFailure(errorType, "", isLost: true)
    }

    /// Not even a part of the message can be sent.
    private func loseTooLarge(_ message: OTLPMessage, _ errorType: String) {
        instruments.lost(message.itemCount, errorType)
        // A collector that refuses everything is told of once.
        if appetite.isExhausted { return tellFailure(errorType, "", isLost: true) }
        logger.log(
            OTLPInstruments.partial, "the collector finds \(signal.items) too large: raise the size that it takes",
            [Attribute(.errorType, .string(errorType))])
    }

    private func tellFailure(_ errorType: String, _ detail: String, isLost: Bool) {
        guard !isFailing.exchange(true, ordering: .relaxed) else { return }
        let what = isLost ? "are lost" : "wait on disk"
        let why = detail.isEmpty ? errorType : "\(errorType): \(detail)"
        logger.log(
            OTLPInstruments.failed,
            "\(signal.items) \(what) (\(why)): check that the collector at OTEL_EXPORTER_OTLP_ENDPOINT runs and accepts them",
            [Attribute(.errorType, .string(errorType))])
    }
}
