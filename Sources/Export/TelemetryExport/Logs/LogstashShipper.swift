internal import Glibc
internal import Synchronization
internal import TLS
internal import Telemetry

/// Sends log lines to Logstash's TCP input, one JSON object a line, on a thread of its own that reconnects with
/// growing delays. A line that was cut by a broken connection is sent again whole; lines that find the queue full are
/// lost and counted.
final class LogstashShipper: Sendable {
    static let connected = Gauge("telemetry_logstash_connected", help: "1 while a connection to Logstash is up.")
    static let connects = Counter(
        "telemetry_logstash_connects_total", help: "Attempts to connect to Logstash.", labels: ["outcome"])
    static let unreachable = LogEvent(
        "telemetry.logstash_unreachable", level: .warn,
        help: "Logstash cannot be reached; logged once until it can be again.")
    static let reachable = LogEvent("telemetry.logstash_connected", help: "Log lines reach Logstash.")

    /// Bytes that wait while Logstash is away or slow.
    static let queueBytes = 4 * 1024 * 1024
    private static let chunkBytes = 64 * 1024
    private static let minDelayMilliseconds = 250
    private static let maxDelayMilliseconds = 30_000

    private let address: HostAndPort
    private let tls: TLSContext?
    private let queue = Mutex(LineQueue(limit: LogstashShipper.queueBytes))
    private let wakeUp = WakeUp()
    /// Whether the thread sleeps until there are lines: otherwise nobody need wake it for them.
    private let isWaiting = Atomic<Bool>(false)
    private let stopAt = Atomic<UInt64>(UInt64.max)
    private let logger: Mutex<Logger?> = Mutex(nil)
    private let droppedFull: CounterSeries
    private let succeeded: CounterSeries
    private let failed: CounterSeries
    private let isConnected: GaugeSeries
    private let ended = Mutex<(hasEnded: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    /// - Parameter tls: nil sends in plain text.
    init(address: HostAndPort, tls: TLSContext? = nil, metrics: MetricRegistry) {
        self.address = address
        self.tls = tls
        droppedFull = metrics.counter(LogWriter.dropped).series("logstash", "buffer_full")
        let family = metrics.counter(Self.connects)
        succeeded = family.series("success")
        failed = family.series("failure")
        isConnected = metrics.gauge(Self.connected).series()
        metrics.observe(LogWriter.waiting, labels: ["logstash"]) { [weak self] in
            Double(self?.queue.withLock { $0.count } ?? 0)
        }
    }

    /// Where connection problems are told.
    func report(to logger: Logger) { self.logger.withLock { $0 = logger } }

    /// Queues whole lines. Called by the log writer's thread.
    func offer(_ lines: UnsafeRawBufferPointer) {
        let lost = queue.withLock { $0.append(lines) }
        if lost > 0 { droppedFull.add(Double(lost)) }
        if isWaiting.exchange(false, ordering: .acquiringAndReleasing) { wakeUp.signal() }
    }

    /// Whether all lines have been given to the system, as far as another thread can see.
    var isIdle: Bool { isWaiting.load(ordering: .relaxed) || stopAt.load(ordering: .relaxed) != .max }

    func start() { DetachedThread.start(name: "logstash") { [self] in run() } }

    /// Sends what waits, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        let now = TelemetryClock.system.monotonicNanoseconds()
        stopAt.store(now + UInt64(max(0, timeoutMilliseconds)) * 1_000_000, ordering: .releasing)
        wakeUp.signal()
        // The thread may be resolving a name, which nothing can interrupt.
        await Deadline.race(milliseconds: timeoutMilliseconds) { [self] in await end() }
    }

    private func end() async {
        await withCheckedContinuation { continuation in
            let hasEnded = ended.withLock { ended in
                if !ended.hasEnded { ended.waiters.append(continuation) }
                return ended.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    // MARK: The shipper's thread

    private func run() {
        var sending = ByteBuffer(capacity: 4 * 1024)
        var sent = 0
        var delay = Self.minDelayMilliseconds
        var isToldUnreachable = false
        while !isOver(sending.count - sent) {
            let connection: LogstashConnection
            do { connection = try LogstashConnection(address, tls: tls) } catch {
                failed.increment()
                if !isToldUnreachable {
                    isToldUnreachable = true
                    tell(Self.unreachable, "Logstash cannot be reached: \(error.reason)")
                }
                pause(delay / 2 + Int.random(in: 0...delay / 2))
                delay = min(delay * 2, Self.maxDelayMilliseconds)
                continue
            }
            succeeded.increment()
            isConnected.set(1)
            if isToldUnreachable { tell(Self.reachable, "log lines reach Logstash again") }
            isToldUnreachable = false
            let hadProgress = ship(over: connection, &sending, &sent)
            isConnected.set(0)
            delay = hadProgress ? Self.minDelayMilliseconds : min(delay * 2, Self.maxDelayMilliseconds)
            // The peer may have half a line: it gets the whole one again.
            while sent > 0, sending.base[sent - 1] != UInt8(ascii: "\n") { sent -= 1 }
            if stopAt.load(ordering: .acquiring) == .max { pause(delay) }
        }
        let left = sending.withBytes { UnsafeRawBufferPointer(rebasing: $0[sent...]).lineCount }
        droppedFull.add(Double(left + queue.withLock { $0.discard() }))
        let waiters = ended.withLock { ended in
            ended.hasEnded = true
            let waiters = ended.waiters
            ended.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func tell(_ event: LogEvent, _ message: String) { logger.withLock { $0 }?.log(event, message) }

    /// Whether the thread ends: told to, and done or out of time.
    private func isOver(_ unsent: Int) -> Bool {
        let deadline = stopAt.load(ordering: .acquiring)
        guard deadline != .max else { return false }
        if TelemetryClock.system.monotonicNanoseconds() >= deadline { return true }
        return unsent == 0 && queue.withLock { $0.isEmpty }
    }

    /// Waits, whatever is logged meanwhile; the stop ends it.
    private func pause(_ milliseconds: Int) {
        let until = TelemetryClock.system.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        while true {
            let now = TelemetryClock.system.monotonicNanoseconds()
            let end = min(until, stopAt.load(ordering: .acquiring))
            guard now < end else { return }
            wakeUp.sleep(milliseconds: Int32((end - now) / 1_000_000 + 1))
        }
    }

    /// Milliseconds until the deadline of the shutdown; negative when there is none.
    private var patience: Int32 {
        let deadline = stopAt.load(ordering: .acquiring)
        guard deadline != .max else { return -1 }
        let now = TelemetryClock.system.monotonicNanoseconds()
        return now < deadline ? Int32(min((deadline - now) / 1_000_000 + 1, 60_000)) : 0
    }

    /// Sends lines until the connection breaks or the thread ends.
    /// - Returns: whether anything was sent.
    private func ship(over connection: LogstashConnection, _ sending: inout ByteBuffer, _ sent: inout Int) -> Bool {
        var hadProgress = false
        while !isOver(sending.count - sent) {
            if sent == sending.count {
                sending.removeAll()
                sent = 0
                queue.withLock { $0.moveLines(to: &sending, maxBytes: Self.chunkBytes) }
            }
            if sending.count == 0 {
                guard waitForLines(connection) else { return hadProgress }
                continue
            }
            let offset = sent
            switch sending.withBytes({ connection.send(UnsafeRawBufferPointer(rebasing: $0[offset...])) }) {
            case .took(let count):
                sent += count
                hadProgress = true
            case .full:
                let ready = wakeUp.sleep(
                    milliseconds: patience, other: connection.socket, events: Int32(POLLOUT) | Int32(POLLIN))
                if ready & ~Int32(POLLOUT) != 0, connection.isClosed() { return hadProgress }
            case .broken: return hadProgress
            }
        }
        return hadProgress
    }

    /// Sleeps until there are lines.
    /// - Returns: false when the connection was closed meanwhile.
    private func waitForLines(_ connection: LogstashConnection) -> Bool {
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        defer { isWaiting.store(false, ordering: .relaxed) }
        // The lock orders this look after that of whoever queues a line without seeing us wait.
        guard queue.withLock({ $0.isEmpty }) else { return true }
        let ready = wakeUp.sleep(milliseconds: patience, other: connection.socket, events: Int32(POLLIN))
        return ready == 0 || !connection.isClosed()
    }
}
