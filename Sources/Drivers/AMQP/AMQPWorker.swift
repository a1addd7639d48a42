internal import CLibRabbitMQ
internal import EventLoop
internal import Glibc
internal import Synchronization
internal import Telemetry

/// The thread that owns the connection: takes work from a mailbox, gives deliveries to the event loops, reconnects.
///
/// Safety (`@unchecked Sendable`): `mailbox` is locked; everything under "thread" is touched by the one thread.
final class AMQPWorker: @unchecked Sendable {
    typealias Handler = @Sendable (AMQPDelivery) async -> AMQPDisposition

    /// What others ask of the thread.
    private enum Job {
        case publish(AMQPMessage, exchange: String, routingKey: String, CheckedContinuation<Void, any Error>)
        case settle(tag: UInt64, generation: Int, AMQPDisposition)
        case count(queue: String, CheckedContinuation<Int, any Error>)
    }

    private struct Mailbox {
        var jobs: [Job] = []
        var topology: [AMQPTopology] = []
        var handlers: [(queue: String, handler: Handler)] = []
        var starting: CheckedContinuation<Void, any Error>?
        var isStopping = false
        var isStarted = false
        var unconfirmed = 0
    }

    private struct Unconfirmed {
        let messageID: String
        let deadline: UInt64
        let continuation: CheckedContinuation<Void, any Error>
        var returned: String?
    }

    private let configuration: AMQPClient.Configuration
    private let group: EventLoopGroup
    private let telemetry: AMQPTelemetry
    private let mailbox = Mutex(Mailbox())
    private let wakeup: Int32
    private let connectedFlag = Atomic<Bool>(false)
    private let finishedFlag = Atomic<Bool>(false)
    private let inFlight = Atomic<Int>(0)

    // Thread.
    private var connection: AMQPConnection?
    private var generation = 0
    private var nextTag: UInt64 = 1
    private var unconfirmed: [UInt64: Unconfirmed] = [:]
    private var attempt = 0

    private static let pollMilliseconds: Int32 = 250
    private static let maxPauseMilliseconds = 10_000

    init(configuration: AMQPClient.Configuration, group: EventLoopGroup, telemetry: AMQPTelemetry) {
        self.configuration = configuration
        self.group = group
        self.telemetry = telemetry
        wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { close(wakeup) }

    var isConnected: Bool { connectedFlag.load(ordering: .relaxed) }

    // MARK: Any thread

    func declare(_ topology: AMQPTopology) { mailbox.withLock { $0.topology.append(topology) } }
    func consume(_ queue: String, _ handler: @escaping Handler) {
        mailbox.withLock { $0.handlers.append((queue, handler)) }
    }

    func start() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            mailbox.withLock {
                $0.starting = continuation
                $0.isStarted = true
            }
            var thread: pthread_t = 0
            let argument = Unmanaged.passRetained(self).toOpaque()
            if pthread_create(&thread, nil, runAMQPWorker, argument) == 0 {
                pthread_detach(thread)
            } else {
                Unmanaged<AMQPWorker>.fromOpaque(argument).release()
                finishStarting(.connection("no thread can be started"))
            }
        }
    }

    func publish(_ message: AMQPMessage, exchange: String, routingKey: String) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let refusal = mailbox.withLock { mailbox -> AMQPError? in
                if mailbox.isStopping { return .shutDown }
                if !isConnected { return .connection("not connected") }
                guard mailbox.unconfirmed < configuration.maxUnconfirmed else { return .tooManyWaiting }
                mailbox.unconfirmed += 1
                mailbox.jobs.append(.publish(message, exchange: exchange, routingKey: routingKey, continuation))
                return nil
            }
            if let refusal { continuation.resume(throwing: refusal) } else { wake() }
        }
    }

    func messageCount(of queue: String) async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            mailbox.withLock { $0.jobs.append(.count(queue: queue, continuation)) }
            wake()
        }
    }

    /// Ends deliveries, waits for handlers under way, closes.
    func stop(timeoutSeconds: Int) async {
        let isStarted = mailbox.withLock { mailbox in
            mailbox.isStopping = true
            return mailbox.isStarted
        }
        guard isStarted else { return }
        wake()
        for _ in 0..<(timeoutSeconds * 100) {
            if finishedFlag.load(ordering: .acquiring) { return }
            try? await Task.sleep(nanoseconds: 10_000_000)
        }
    }

    private func settle(_ tag: UInt64, _ generation: Int, _ disposition: AMQPDisposition) {
        mailbox.withLock { $0.jobs.append(.settle(tag: tag, generation: generation, disposition)) }
        inFlight.wrappingSubtract(1, ordering: .relaxed)
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    private func finishStarting(_ error: AMQPError?) {
        let continuation = mailbox.withLock { mailbox in
            defer { mailbox.starting = nil }
            return mailbox.starting
        }
        if let error { continuation?.resume(throwing: error) } else { continuation?.resume() }
    }

    private var isStopping: Bool { mailbox.withLock { $0.isStopping } }

    // MARK: The thread

    fileprivate func run() {
        var isFirst = true
        while !isStopping {
            do throws(AMQPError) {
                try connect()
                if isFirst { finishStarting(nil) } else { telemetry.reconnects.increment() }
                isFirst = false
                attempt = 0
                try serve()
            } catch {
                lose(error)
                if isFirst {
                    finishStarting(error)
                    break
                }
                pause()
            }
        }
        farewell()
        finishedFlag.store(true, ordering: .releasing)
    }

    private func connect() throws(AMQPError) {
        let address = try AMQPAddress(url: configuration.url)
        let connection = try AMQPConnection(address: address, configuration: configuration)
        let (topology, handlers) = mailbox.withLock { ($0.topology, $0.handlers) }
        for part in topology { try connection.declare(part) }
        generation += 1
        nextTag = 1
        for (queue, _) in handlers { try connection.consume(queue) }
        self.connection = connection
        connectedFlag.store(true, ordering: .relaxed)
        telemetry.connected.set(1)
    }

    private func serve() throws(AMQPError) {
        guard let connection else { return }
        while !isStopping {
            try takeJobs(connection)
            try takeEvents(connection)
            expire()
            wait(connection.descriptor, milliseconds: Self.pollMilliseconds)
        }
    }

    private func takeJobs(_ connection: AMQPConnection) throws(AMQPError) {
        let jobs = mailbox.withLock { mailbox in
            defer { mailbox.jobs = [] }
            return mailbox.jobs
        }
        for (index, job) in jobs.enumerated() {
            do throws(AMQPError) {
                try take(job, connection)
            } catch {
                // The rest must not be forgotten.
                for job in jobs[(index + 1)...] { refuse(job, error) }
                throw error
            }
        }
    }

    private func take(_ job: Job, _ connection: AMQPConnection) throws(AMQPError) {
        switch job {
        case .publish(let message, let exchange, let routingKey, let continuation):
            let tag = nextTag
            nextTag += 1
            unconfirmed[tag] = Unconfirmed(
                messageID: message.messageID,
                deadline: Self.milliseconds() + UInt64(configuration.confirmTimeoutMilliseconds),
                continuation: continuation)
            try connection.publish(message, exchange: exchange, routingKey: routingKey)
        case .settle(let tag, let generation, let disposition):
            // A delivery of an earlier connection is the broker's again.
            if generation == self.generation { try connection.settle(tag, disposition) }
        case .count(let queue, let continuation):
            do throws(AMQPError) {
                continuation.resume(returning: try connection.messageCount(of: queue))
            } catch {
                continuation.resume(throwing: error)
                throw error
            }
        }
    }

    private func refuse(_ job: Job, _ error: AMQPError) {
        switch job {
        case .publish(_, _, _, let continuation):
            confirmed(by: 1)
            continuation.resume(throwing: error)
        case .count(_, let continuation): continuation.resume(throwing: error)
        case .settle: break
        }
    }

    private func takeEvents(_ connection: AMQPConnection) throws(AMQPError) {
        while let event = try connection.next() {
            switch event {
            case .delivery(let delivery, let tag): dispatch(delivery, tag)
            case .confirmed(let tag, let multiple, let isAccepted):
                let tags = multiple ? unconfirmed.keys.filter { $0 <= tag }.sorted() : [tag]
                for tag in tags { confirm(tag, isAccepted: isAccepted) }
            case .returned(let messageID, let reason):
                if let tag = unconfirmed.first(where: { $0.value.messageID == messageID })?.key {
                    unconfirmed[tag]?.returned = reason
                }
            }
        }
    }

    private func confirm(_ tag: UInt64, isAccepted: Bool) {
        guard let waiting = unconfirmed.removeValue(forKey: tag) else { return }
        confirmed(by: 1)
        if let reason = waiting.returned {
            waiting.continuation.resume(throwing: AMQPError.returned(reason))
        } else if isAccepted {
            waiting.continuation.resume()
        } else {
            waiting.continuation.resume(throwing: AMQPError.notConfirmed)
        }
    }

    private func confirmed(by count: Int) { mailbox.withLock { $0.unconfirmed -= count } }

    private func dispatch(_ delivery: AMQPDelivery, _ tag: UInt64) {
        guard let handler = mailbox.withLock({ $0.handlers.first { $0.queue == delivery.queue }?.handler }) else {
            return
        }
        inFlight.wrappingAdd(1, ordering: .relaxed)
        let generation = generation
        let telemetry = telemetry
        group.next().spawn { [self] in
            let disposition = await telemetry.observeProcess(delivery, handler)
            settle(tag, generation, disposition)
        }
    }

    private func expire() {
        guard !unconfirmed.isEmpty else { return }
        let now = Self.milliseconds()
        for (tag, waiting) in unconfirmed where waiting.deadline <= now {
            unconfirmed[tag] = nil
            confirmed(by: 1)
            waiting.continuation.resume(throwing: AMQPError.timedOut)
        }
    }

    private func lose(_ error: AMQPError) {
        connection = nil
        connectedFlag.store(false, ordering: .relaxed)
        telemetry.connected.set(0)
        for waiting in unconfirmed.values { waiting.continuation.resume(throwing: error) }
        confirmed(by: unconfirmed.count)
        unconfirmed = [:]
        let jobs = mailbox.withLock { mailbox in
            defer { mailbox.jobs = [] }
            return mailbox.jobs
        }
        for job in jobs { refuse(job, error) }
    }

    private func pause() {
        attempt += 1
        let ceiling = min(Self.maxPauseMilliseconds, 100 << min(attempt, 10))
        let end = Self.milliseconds() + UInt64(Int.random(in: ceiling / 2...ceiling))
        while !isStopping {
            let now = Self.milliseconds()
            guard now < end else { return }
            wait(-1, milliseconds: Int32(min(end - now, 250)))
        }
    }

    /// Handlers under way may still settle; then goodbye.
    private func farewell() {
        connection?.cancelConsumers()
        let end = Self.milliseconds() + 10_000
        while let connection, inFlight.load(ordering: .relaxed) > 0 || !unconfirmed.isEmpty, Self.milliseconds() < end {
            do throws(AMQPError) {
                try takeJobs(connection)
                try takeConfirms(connection)
            } catch { break }
            expire()
            wait(connection.descriptor, milliseconds: 20)
        }
        if let connection { try? takeJobs(connection) }
        connection?.close()
        lose(.shutDown)
    }

    /// While stopping, what is delivered late stays unacknowledged: the broker gives it to another.
    private func takeConfirms(_ connection: AMQPConnection) throws(AMQPError) {
        while let event = try connection.next() {
            if case .confirmed(let tag, let multiple, let isAccepted) = event {
                let tags = multiple ? unconfirmed.keys.filter { $0 <= tag }.sorted() : [tag]
                for tag in tags { confirm(tag, isAccepted: isAccepted) }
            }
        }
    }

    private func wait(_ descriptor: Int32, milliseconds: Int32) {
        var descriptors = [pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)]
        if descriptor >= 0 { descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        var count: UInt64 = 0
        _ = read(wakeup, &count, 8)
    }

    private static func milliseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}

private func runAMQPWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<AMQPWorker>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
