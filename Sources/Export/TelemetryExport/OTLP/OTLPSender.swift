internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import Synchronization
internal import Telemetry
internal import TelemetrySDK

/// Sends the requests of one signal to one collector, on a task of one event loop: a bounded queue, retries, and a folder
/// for what the collector cannot take. What is lost is counted by reason; nothing here is waited for by a request.
final class OTLPSender: Sendable {
    /// Bytes that wait in memory.
    static let maxQueuedBytes = 8 * 1024 * 1024
    /// OTLP: a client reads at most this much of a response.
    private static let maxResponseBytes = 4 * 1024 * 1024
    private static let userAgent = "Vitrine/\(SDKVersion.current) OTel-OTLP-Exporter-Swift/\(SDKVersion.current)"
    /// How often somebody looks whether there is work that nobody announced.
    private static let idleMilliseconds = 60_000
    /// While what is on disk cannot be sent, this long passes between two attempts.
    private static let spoolPauseMilliseconds = 5_000

    /// Items in a row that may be too large each by itself before the rest of their message is given up.
    private static let maxRefusedItems = 8

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
    private let client: HTTPClient
    private let task: LoopTask
    private let worker: WorkerPool
    private let spool: DiskSpool?
    private let logger: Logger
    private let instruments: OTLPInstruments
    private let clock = TelemetryClock.system
    private let queue = Mutex(Queue())
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
        var settings = HTTPClient.Configuration()
        settings.requestTimeoutMilliseconds = target.timeoutMilliseconds
        settings.maxResponseBytes = Self.maxResponseBytes
        settings.maxConnectionsPerHostAndLoop = 1
        settings.tls = target.tls
        // A handshake takes several ways there and back.
        if target.tls != nil { settings.connectTimeoutMilliseconds = target.timeoutMilliseconds }
        client = HTTPClient(configuration: settings, group: group, telemetry: nil)
        task = LoopTask(loop: group.next())
        spool = Self.openSpool(configuration, instruments, logger)
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
                await deliver(message)
                instruments.inFlight.add(-Double(message.itemCount))
                if Task.isCancelled { return }
            }
            if task.wakeUp.isStopping { return }
            if let spool, !spool.isEmpty {
                let isSent = await sendFromDisk(spool)
                if isSent { continue }
                await task.wakeUp.waitForWork(milliseconds: Self.spoolPauseMilliseconds)
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
        switch await send(message) {
        case .accepted(let rejected, let text): accepted(message, rejected, text)
        case .refused(let errorType): lose(message, errorType)
        case .tooLarge(let errorType): await deliverPieces(of: message, errorType)
        case .retry: return false
        }
        _ = try? await worker.run { spool.remove(id) }
        return true
    }

    /// What became of a message.
    private enum Delivery {
        case taken
        /// Lost or put aside, and counted.
        case settled
        case tooLarge(errorType: String)
    }

    /// Sends a message, in pieces where the collector finds it too large.
    private func deliver(_ message: OTLPMessage) async {
        if case .tooLarge(let errorType) = await attempt(message) { await deliverPieces(of: message, errorType) }
    }

    /// Sends the halves of a message that was too large, and theirs, down to single items. Bounded: a collector that
    /// finds everything too large gets no more than the first few items one by one.
    private func deliverPieces(of message: OTLPMessage, _ errorType: String) async {
        var refusedInARow = 0
        var tooLarge = [message]
        while let piece = tooLarge.popLast() {
            guard !Task.isCancelled else {
                giveUp(piece, "already_shutdown")
                continue
            }
            guard refusedInARow < Self.maxRefusedItems, let halves = await halves(of: piece) else {
                refusedInARow += 1
                loseTooLarge(piece, errorType)
                continue
            }
            for half in halves {
                switch await attempt(half) {
                case .taken: refusedInARow = 0
                case .settled: break
                case .tooLarge: tooLarge.append(half)
                }
            }
        }
    }

    private func halves(of message: OTLPMessage) async -> [OTLPMessage]? {
        let signal = signal
        return try? await worker.run { message.halves(signal) }
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
                return .taken
            case .tooLarge(let errorType): return .tooLarge(errorType: errorType)
            case .refused(let errorType):
                lose(message, errorType)
                return .settled
            case .retry(let errorType, let retryAfter, let detail):
                let now = Int64(clock.wallNanoseconds() / 1_000_000_000)
                let asked = retryAfter.flatMap { retry.delayMilliseconds(retryAfter: $0, nowSeconds: now) }
                let delay = asked ?? retry.delayMilliseconds(attempt: attempt)
                // A wait that the collector asked for does not use up our patience.
                if let asked { patience += asked }
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

    private func send(_ message: OTLPMessage) async -> ExportOutcome {
        var headers = HTTPFields()
        for (name, value) in target.headers { headers.set(name, value) }
        headers.set("Content-Type", message.format.contentType)
        headers.set("User-Agent", Self.userAgent)
        if message.format.isCompressed { headers.set("Content-Encoding", "gzip") }
        let request = HTTPRequest(
            method: .post, target: target.endpoint.target, headers: headers, body: .bytes(message.body))
        let start = clock.monotonicNanoseconds()
        let outcome: ExportOutcome
        var status = ""
        do {
            let response = try await client.send(
                request, to: target.endpoint.origin, timeoutMilliseconds: target.timeoutMilliseconds)
            status = String(response.status.code)
            let body = (try? await response.body.collect(upTo: Self.maxResponseBytes)) ?? []
            outcome = ExportOutcome(
                status: response.status.code, retryAfter: response.headers["retry-after"], body: body,
                isJSON: message.format.isJSON)
        } catch let error as HTTPClientError {
            outcome = ExportOutcome(error)
        } catch {
            outcome = .retry(errorType: ErrorType.name(of: error), retryAfter: nil)
        }
        instruments.took(
            seconds: Double(clock.monotonicNanoseconds() - start) / 1e9, status: status, errorType: outcome.errorType)
        return outcome
    }

    // MARK: Outcomes

    /// Counts items that were lost before a message was made of them.
    func lost(_ count: Int, _ errorType: String) { instruments.lost(count, errorType) }

    private func accepted(_ message: OTLPMessage, _ rejected: Int, _ text: String) {
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
        instruments.lost(message.itemCount, errorType)
        tellFailure(errorType, "", isLost: true)
    }

    /// Not even a part of the message can be sent.
    private func loseTooLarge(_ message: OTLPMessage, _ errorType: String) {
        instruments.lost(message.itemCount, errorType)
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
