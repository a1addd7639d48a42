internal import CThread
internal import EventLoop
internal import Glibc
internal import Synchronization
internal import Telemetry

/// The thread that owns the connection: sends what the mailbox holds, gives deliveries to the event loops, matches
/// confirms with who waits for them, reconnects.
///
/// Safety (`@unchecked Sendable`): `plan` is locked; everything under "thread" is touched by the one thread, which only
/// one start at a time can make.
final class AMQPWorker: @unchecked Sendable {
    typealias Handler = @Sendable (AMQPDelivery) async -> AMQPDisposition

    /// Who takes the deliveries of a queue.
    private struct Consumer: Sendable {
        let queue: String
        let handler: Handler
        let telemetry: ConsumerTelemetry
    }

    /// What is set up on each connection.
    private struct Plan {
        var topology: [AMQPTopology] = []
        var consumers: [Consumer] = []
    }

    let mailbox: AMQPMailbox
    private let configuration: AMQPClient.Configuration
    private let group: EventLoopGroup
    private let telemetry: AMQPTelemetry
    private let plan = Mutex(Plan())

    // Thread.
    private var connection: AMQPConnection?
    private var consumers: [String: Consumer] = [:]
    /// Counts connections: a delivery is settled on the one that it came by.
    private var generation = 0
    private var jobs: [AMQPMailbox.Job] = []
    /// What could not be written yet; those before `sentCount` are written.
    private var outgoing: [AMQPMailbox.Outgoing] = []
    private var sentCount = 0
    private var window = ConfirmWindow<CheckedContinuation<Void, any Error>>()
    private var isBlocked = false
    private var handlersUnderWay = 0

    /// Longest sleep: heartbeats are sent and checked at least so often.
    private static let pollMilliseconds: UInt64 = 1_000
    private static let minPauseMilliseconds = 100
    private static let maxPauseMilliseconds = 10_000
    /// A connection that lived so long was a good one: the next pause is short again.
    private static let steadyMilliseconds: UInt64 = 10_000

    init(configuration: AMQPClient.Configuration, group: EventLoopGroup, telemetry: AMQPTelemetry) {
        self.configuration = configuration
        self.group = group
        self.telemetry = telemetry
        mailbox = AMQPMailbox(maxUnconfirmed: configuration.maxUnconfirmed)
    }

    // MARK: Any thread

    func declare(_ topology: AMQPTopology) { plan.withLock { $0.topology.append(topology) } }

    func consume(_ queue: String, _ handler: @escaping Handler) {
        let consumer = Consumer(
            queue: queue, handler: handler, telemetry: ConsumerTelemetry(queue: queue, telemetry))
        plan.withLock { $0.consumers.append(consumer) }
    }

    func start() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            guard mailbox.beginStart(continuation) else { return }
            var thread: pthread_t = 0
            let argument = Unmanaged.passRetained(self).toOpaque()
            if pthread_create(&thread, nil, runAMQPWorker, argument) == 0 {
                pthread_detach(thread)
            } else {
                Unmanaged<AMQPWorker>.fromOpaque(argument).release()
                mailbox.startFailed(.connection("no thread can be started"))
            }
        }
    }

    func publish(_ message: AMQPMessage, exchange: String, routingKey: String) async throws {
        let deadline = Self.milliseconds() + UInt64(configuration.confirmTimeoutMilliseconds)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            mailbox.post(
                AMQPMailbox.Outgoing(
                    message: message, exchange: exchange, routingKey: routingKey, deadline: deadline,
                    continuation: continuation))
        }
    }

    func stop(timeoutSeconds: Int) async {
        await mailbox.stop(until: Self.milliseconds() + UInt64(max(0, timeoutSeconds)) * 1000)
    }

    static func milliseconds() -> UInt64 { TelemetryClock.system.monotonicNanoseconds() / 1_000_000 }

    // MARK: The thread

    fileprivate func run() {
        Self.prepareThread()
        do throws(AMQPError) {
            try connect()
        } catch {
            lose(error)
            mailbox.startFailed(error)
            mailbox.finish()
            return
        }
        var failures = 0
        while mailbox.drainDeadline == nil {
            let since = Self.milliseconds()
            do throws(AMQPError) {
                if connection == nil {
                    try connect()
                    telemetry.reconnects.increment()
                }
                try serve()
            } catch {
                lose(error)
                telemetry.logger.log(AMQPTelemetry.lostEvent, "\(error); it is tried again")
                failures = Self.milliseconds() - since > Self.steadyMilliseconds ? 1 : failures + 1
                pause(failures)
            }
        }
        drain()
        connection?.close()
        lose(.shutDown)
        mailbox.finish()
    }

    /// Signals are for other threads.
    private static func prepareThread() {
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        vitrine_set_thread_name("amqp")
    }

    private func connect() throws(AMQPError) {
        let address = try AMQPAddress(url: configuration.url)
        let connection = try AMQPConnection(address: address, configuration: configuration)
        let (topology, consumers) = plan.withLock { ($0.topology, $0.consumers) }
        for part in topology { try connection.declare(part) }
        self.consumers = Dictionary(consumers.map { ($0.queue, $0) }) { first, _ in first }
        generation += 1
        for queue in self.consumers.keys.sorted() { try connection.consume(queue) }
        self.connection = connection
        telemetry.connected.set(1)
        telemetry.logger.log(AMQPTelemetry.connectedEvent, "connected to the broker at \(address.host):\(address.port)")
        mailbox.setConnected(true)
    }

    /// Works until the client is stopped.
    private func serve() throws(AMQPError) {
        while mailbox.drainDeadline == nil { try turn() }
    }

    private func turn() throws(AMQPError) {
        guard let connection else { throw .connection("it is closed") }
        try takeJobs(connection)
        try send(connection)
        try takeEvents(connection)
        expire()
        wait(connection)
    }

    private func takeJobs(_ connection: AMQPConnection) throws(AMQPError) {
        mailbox.take(&jobs)
        var failure: AMQPError?
        for job in jobs {
            // After a failure the rest must not be forgotten.
            if let failure {
                refuse(job, failure)
                continue
            }
            do throws(AMQPError) {
                try take(job, connection)
            } catch { failure = error }
        }
        jobs.removeAll(keepingCapacity: true)
        if let failure { throw failure }
    }

    private func take(_ job: AMQPMailbox.Job, _ connection: AMQPConnection) throws(AMQPError) {
        switch job {
        case .publish(let message): outgoing.append(message)
        case .settle(let tag, let generation, let disposition):
            handlersUnderWay -= 1
            // A delivery of an earlier connection is the broker's again.
            if generation == self.generation { try connection.settle(tag, disposition) }
        case .inspect(let inspection): try inspect(inspection, connection)
        }
    }

    private func refuse(_ job: AMQPMailbox.Job, _ error: AMQPError) {
        switch job {
        case .publish(let message):
            mailbox.settled(1)
            message.continuation.resume(throwing: error)
        case .settle: handlersUnderWay -= 1
        case .inspect(let inspection): inspection.fail(error)
        }
    }

    private func inspect(_ inspection: AMQPMailbox.Inspection, _ connection: AMQPConnection) throws(AMQPError) {
        do throws(AMQPError) {
            switch inspection {
            case .count(let queue, let continuation):
                continuation.resume(returning: try connection.messageCount(of: queue))
            case .get(let queue, let disposition, let continuation):
                continuation.resume(returning: try connection.get(queue, then: disposition))
            }
        } catch {
            inspection.fail(error)
            if case .connection = error { throw error }
        }
    }

    // MARK: Publishing

    /// Writes what waits for as long as the socket takes it: writing blocks, and acknowledgements must not wait.
    private func send(_ connection: AMQPConnection) throws(AMQPError) {
        defer { compactOutgoing() }
        while sentCount < outgoing.count, !isBlocked, Self.isWritable(connection.descriptor) {
            let next = outgoing[sentCount]
            sentCount += 1
            window.add(messageID: next.message.messageID, deadline: next.deadline, waiter: next.continuation)
            try connection.publish(next.message, exchange: next.exchange, routingKey: next.routingKey)
        }
    }

    private func compactOutgoing() {
        outgoing.removeFirst(sentCount)
        sentCount = 0
    }

    private static func isWritable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func finish(_ entries: [ConfirmWindow<CheckedContinuation<Void, any Error>>.Entry], _ error: AMQPError?) {
        mailbox.settled(entries.count)
        for entry in entries {
            if let error {
                entry.waiter.resume(throwing: error)
            } else if let reason = entry.returned {
                entry.waiter.resume(throwing: AMQPError.returned(reason))
            } else {
                entry.waiter.resume()
            }
        }
    }

    private func expire() {
        let now = Self.milliseconds()
        finish(window.expire(now: now), .timedOut)
        let count = outgoing.firstIndex { $0.deadline > now } ?? outgoing.count
        mailbox.settled(count)
        for message in outgoing.prefix(count) { message.continuation.resume(throwing: AMQPError.timedOut) }
        outgoing.removeFirst(count)
    }

    // MARK: Receiving

    private func takeEvents(_ connection: AMQPConnection) throws(AMQPError) {
        while let event = try connection.next() {
            switch event {
            case .delivery(let delivery, let tag): dispatch(delivery, tag)
            case .tooLong(let queue, let tag):
                telemetry.logger.log(AMQPTelemetry.tooLongEvent, "a message in \(queue) is too long: it was rejected")
                consumers[queue]?.telemetry.noteRejected()
                try connection.settle(tag, .reject)
            case .confirmed(let tag, let multiple, let isAccepted):
                finish(window.settle(tag, multiple: multiple), isAccepted ? nil : .notConfirmed)
            case .returned(let messageID, let reason): window.noteReturned(messageID: messageID, reason: reason)
            case .publishingRefused(let reason):
                telemetry.logger.log(AMQPTelemetry.refusedEvent, "the broker closed the publishing channel: \(reason)")
                finish(window.reset(), .refused(reason))
                try connection.openPublishChannel()
            case .blocked(let reason):
                isBlocked = true
                telemetry.logger.log(AMQPTelemetry.blockedEvent, "the broker takes no messages for now: \(reason)")
            case .unblocked: isBlocked = false
            }
        }
    }

    private func dispatch(_ delivery: AMQPDelivery, _ tag: UInt64) {
        // While draining, what comes late stays unacknowledged: the broker gives it to another.
        guard let consumer = consumers[delivery.queue], mailbox.drainDeadline == nil else { return }
        handlersUnderWay += 1
        let generation = generation
        let mailbox = mailbox
        group.next().spawn {
            let disposition = await consumer.telemetry.observe(delivery, consumer.handler)
            mailbox.settle(tag, generation: generation, disposition)
        }
    }

    // MARK: Losing, pausing, ending

    /// Gives up the connection; whoever waits is told.
    private func lose(_ error: AMQPError) {
        connection = nil
        isBlocked = false
        mailbox.setConnected(false)
        telemetry.connected.set(0)
        finish(window.reset(), error)
        mailbox.settled(outgoing.count)
        for message in outgoing { message.continuation.resume(throwing: error) }
        outgoing = []
        refuseJobs(error)
    }

    private func refuseJobs(_ error: AMQPError) {
        mailbox.take(&jobs)
        for job in jobs { refuse(job, error) }
        jobs.removeAll(keepingCapacity: true)
    }

    /// Waits longer after each failure, with jitter, so that services do not come back together.
    private func pause(_ failures: Int) {
        let ceiling = min(Self.maxPauseMilliseconds, Self.minPauseMilliseconds << min(failures - 1, 10))
        let end = Self.milliseconds() + UInt64(Int.random(in: ceiling / 2...ceiling))
        while mailbox.drainDeadline == nil {
            let now = Self.milliseconds()
            guard now < end else { return }
            sleep([], milliseconds: end - now)
            // Handlers of the lost connection come to their end meanwhile.
            refuseJobs(.connection("there is no connection at the moment"))
        }
    }

    /// Ends deliveries; handlers under way finish, and what they publish is confirmed.
    private func drain() {
        guard let connection else { return drainWithoutConnection() }
        do throws(AMQPError) {
            try connection.cancelConsumers()
            while let deadline = mailbox.drainDeadline, Self.milliseconds() < deadline,
                handlersUnderWay > 0 || window.count > 0 || !outgoing.isEmpty
            {
                try turn()
            }
            try takeJobs(connection)
        } catch {
            telemetry.logger.log(AMQPTelemetry.lostEvent, "\(error); the client is stopping")
            lose(error)
            drainWithoutConnection()
        }
    }

    /// There is nothing left to settle, but whoever stops the client expects handlers to have ended.
    private func drainWithoutConnection() {
        while let deadline = mailbox.drainDeadline, handlersUnderWay > 0 {
            let now = Self.milliseconds()
            guard now < deadline else { return }
            sleep([], milliseconds: deadline - now)
            refuseJobs(.shutDown)
        }
    }

    /// Sleeps until something comes in, can be written, is asked for or is due.
    private func wait(_ connection: AMQPConnection) {
        let isWriting = !outgoing.isEmpty && !isBlocked
        let now = Self.milliseconds()
        var sleepMilliseconds = Self.pollMilliseconds
        for deadline in [window.nextDeadline, outgoing.first?.deadline, mailbox.drainDeadline] {
            if let deadline { sleepMilliseconds = min(sleepMilliseconds, deadline > now ? deadline - now : 0) }
        }
        let events = Int16(POLLIN) | (isWriting ? Int16(POLLOUT) : 0)
        sleep([pollfd(fd: connection.descriptor, events: events, revents: 0)], milliseconds: sleepMilliseconds)
    }

    private func sleep(_ descriptors: [pollfd], milliseconds: UInt64) {
        var descriptors = descriptors
        descriptors.append(pollfd(fd: mailbox.wakeup, events: Int16(POLLIN), revents: 0))
        poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: milliseconds))
        mailbox.awake()
    }
}

private func runAMQPWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<AMQPWorker>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
