internal import CLibRabbitMQ
internal import Glibc
internal import Synchronization

/// What others ask of the broker's thread, and the descriptor that wakes it.
final class AMQPMailbox: Sendable {
    /// A message on its way to the broker.
    struct Outgoing: Sendable {
        let message: AMQPMessage
        let exchange: String
        let routingKey: String
        /// Monotonic milliseconds.
        let deadline: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    /// A look into a queue.
    enum Inspection: Sendable {
        case count(queue: String, CheckedContinuation<Int, any Error>)
        case get(queue: String, then: AMQPDisposition, CheckedContinuation<AMQPDelivery?, any Error>)

        func fail(_ error: AMQPError) {
            switch self {
            case .count(_, let continuation): continuation.resume(throwing: error)
            case .get(_, _, let continuation): continuation.resume(throwing: error)
            }
        }
    }

    enum Job: Sendable {
        case publish(Outgoing)
        case settle(tag: UInt64, generation: Int, AMQPDisposition)
        case inspect(Inspection)
    }

    /// The life of the client: forward only, except that a start that failed may be tried again.
    enum Phase: Sendable {
        case idle
        case starting(CheckedContinuation<Void, any Error>)
        case running
        /// Handlers under way finish and may still publish. Monotonic milliseconds.
        case draining(until: UInt64)
        case stopped
    }

    private struct Contents {
        var jobs: [Job] = []
        var phase = Phase.idle
        var isConnected = false
        /// Messages handed over whose outcome is not known yet.
        var unconfirmed = 0
        var inspections = 0
        var stopping: [CheckedContinuation<Void, Never>] = []
    }

    private let contents = Mutex(Contents())
    private let maxUnconfirmed: Int
    /// Becomes readable when there is something to do.
    let wakeup: Int32

    private static let maxInspections = 64

    init(maxUnconfirmed: Int) {
        self.maxUnconfirmed = maxUnconfirmed
        wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        precondition(wakeup >= 0, "no descriptor is left for the broker's thread: error \(errno)")
    }

    deinit { close(wakeup) }

    // MARK: Any thread

    var isConnected: Bool { contents.withLock { $0.isConnected } }

    func post(_ outgoing: Outgoing) {
        let refusal = contents.withLock { contents -> AMQPError? in
            if case .stopped = contents.phase { return .shutDown }
            guard contents.isConnected else { return .connection("there is no connection at the moment") }
            guard contents.unconfirmed < maxUnconfirmed else { return .tooManyWaiting }
            contents.unconfirmed += 1
            append(.publish(outgoing), &contents)
            return nil
        }
        if let refusal { outgoing.continuation.resume(throwing: refusal) }
    }

    func post(_ inspection: Inspection) {
        let refusal = contents.withLock { contents -> AMQPError? in
            if case .stopped = contents.phase { return .shutDown }
            guard contents.isConnected else { return .connection("there is no connection at the moment") }
            guard contents.inspections < Self.maxInspections else { return .tooManyWaiting }
            contents.inspections += 1
            append(.inspect(inspection), &contents)
            return nil
        }
        if let refusal { inspection.fail(refusal) }
    }

    /// Bounded by what is delivered: the prefetch of each consumer.
    func settle(_ tag: UInt64, generation: Int, _ disposition: AMQPDisposition) {
        contents.withLock { append(.settle(tag: tag, generation: generation, disposition), &$0) }
    }

    private func append(_ job: Job, _ contents: inout Contents) {
        if contents.jobs.isEmpty { wake() }
        contents.jobs.append(job)
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    /// False when the client has been started or stopped before; then the continuation is resumed already.
    func beginStart(_ continuation: CheckedContinuation<Void, any Error>) -> Bool {
        let refusal = contents.withLock { contents -> AMQPError? in
            switch contents.phase {
            case .idle:
                contents.phase = .starting(continuation)
                return nil
            case .starting, .running: return .connection("the client has been started already")
            case .draining, .stopped: return .shutDown
            }
        }
        if let refusal { continuation.resume(throwing: refusal) }
        return refusal == nil
    }

    /// Returns when the thread has ended. - Parameter deadline: monotonic milliseconds.
    func stop(until deadline: UInt64) async {
        await withCheckedContinuation { continuation in
            let isOver = contents.withLock { contents in
                switch contents.phase {
                case .idle, .stopped:
                    contents.phase = .stopped
                    return true
                case .starting, .running, .draining:
                    if case .starting(let waiting) = contents.phase { waiting.resume(throwing: AMQPError.shutDown) }
                    contents.phase = .draining(until: deadline)
                    contents.stopping.append(continuation)
                    wake()
                    return false
                }
            }
            if isOver { continuation.resume() }
        }
    }

    // MARK: The broker's thread

    /// Takes what has been asked for since the last time, in order.
    func take(_ jobs: inout [Job]) {
        jobs.removeAll(keepingCapacity: true)
        contents.withLock { contents in
            swap(&contents.jobs, &jobs)
            for case .inspect in jobs { contents.inspections -= 1 }
        }
    }

    /// Notes that the outcome of so many messages is known.
    func settled(_ count: Int) { if count > 0 { contents.withLock { $0.unconfirmed -= count } } }

    /// Until when the client drains; nil while it runs.
    var drainDeadline: UInt64? {
        contents.withLock { if case .draining(let until) = $0.phase { until } else { nil } }
    }

    func setConnected(_ isConnected: Bool) {
        contents.withLock { contents in
            contents.isConnected = isConnected
            guard isConnected, case .starting(let waiting) = contents.phase else { return }
            contents.phase = .running
            waiting.resume()
        }
    }

    /// The first connection failed: the client may be started again, unless it is being stopped.
    func startFailed(_ error: AMQPError) {
        contents.withLock { contents in
            guard case .starting(let waiting) = contents.phase else { return }
            contents.phase = .idle
            waiting.resume(throwing: error)
        }
    }

    /// The thread is about to end.
    func finish() {
        contents.withLock { contents in
            if case .draining = contents.phase { contents.phase = .stopped }
            for waiting in contents.stopping { waiting.resume() }
            contents.stopping = []
        }
    }

    /// Empties the descriptor after it woke the thread.
    func awake() {
        var count: UInt64 = 0
        _ = read(wakeup, &count, 8)
    }
}
