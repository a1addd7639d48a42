internal import CThread
internal import Glibc
internal import Synchronization
internal import Telemetry

/// Takes the log lines of all services of the process and writes them to standard output, and to Logstash when there
/// is one, on a thread of its own.
///
/// A line is copied into the buffer of the thread that logs; the writer swaps these buffers out. The first line after a
/// silence wakes it; from then on it comes by itself every `restMilliseconds`, or when a buffer has filled, until there
/// is silence again: a quiet process has no wake-ups, a busy one a few dozen a second with much to write at each. A full
/// buffer, or a destination that does not keep up, costs lines, which are counted, and never time.
final class LogWriter: LogSink {
    static let dropped = Counter(
        "telemetry_log_lines_dropped_total", help: "Log lines that were lost, by destination and reason.",
        labels: ["destination", "reason"])
    static let waiting = Gauge(
        "telemetry_log_queue_bytes", unit: .bytes, help: "Log bytes that wait for a destination.",
        labels: ["destination"])

    /// Bytes that the buffer of one thread takes until the writer comes by.
    static let bufferBytes = 1024 * 1024
    /// Bytes in one buffer for which the writer does not finish its rest.
    static let hurryBytes = 256 * 1024
    /// Bytes that wait for standard output.
    static let queueBytes = 4 * 1024 * 1024
    /// How long lines are gathered while there are some.
    static let restMilliseconds: Int32 = 25
    /// The same while standard output takes nothing and nobody else waits for lines.
    private static let blockedMilliseconds: Int32 = 250
    /// How often the deadline of a shutdown is looked at.
    private static let stoppingMilliseconds: Int32 = 5
    /// Times that long for a slow destination while the process is crashing.
    private static let crashTurns = 60
    private static let bufferCount = 16
    /// Storage that a buffer keeps through a silence.
    private static let keptBytes = 64 * 1024
    /// What the thread gets beyond its deadline to notice it.
    private static let graceMilliseconds = 500

    private final class Buffer: Sendable {
        let bytes = Mutex(ByteBuffer(capacity: 4 * 1024))
    }

    /// What the writer's thread does, for those who may have to wake it.
    private enum Activity {
        static let working = 0
        /// Wakes by itself, soon enough for all but much.
        static let resting = 1
        static let asleep = 2
    }

    private let buffers: [Buffer]
    private let wakeUp = WakeUp()
    private let activity = Atomic<Int>(Activity.working)
    private let isStarted = Atomic<Bool>(false)
    private let isOver = Atomic<Bool>(false)
    private let stopAt = Atomic<UInt64>(UInt64.max)
    private let output: Int32
    private let shipper: LogstashShipper?
    private let turnCount = Atomic<Int>(0)
    private let outputWaiting = Atomic<Int>(0)
    private let losses: CounterFamily
    private let droppedBeforeWriter: CounterSeries
    private let droppedLate: CounterSeries
    private let ended = Mutex<(hasEnded: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    /// - Parameter output: the descriptor to write to; it is neither changed nor closed.
    init(output: Int32 = STDOUT_FILENO, shipper: LogstashShipper?, metrics: MetricRegistry) {
        self.output = output
        self.shipper = shipper
        buffers = (0..<Self.bufferCount).map { _ in Buffer() }
        losses = metrics.counter(Self.dropped)
        droppedBeforeWriter = losses.series("all", "buffer_full")
        droppedLate = losses.series("all", "already_shutdown")
        for reason in ["buffer_full", "closed", "disk_full"] { _ = losses.series("stdout", reason) }
        metrics.observe(Self.waiting, labels: ["stdout"]) { [weak self] in
            Double(self?.outputWaiting.load(ordering: .relaxed) ?? 0)
        }
    }

    /// How often the thread has looked for lines.
    var turns: Int { turnCount.load(ordering: .relaxed) }

    func write(_ line: UnsafeRawBufferPointer) {
        guard let bytes = line.bindMemory(to: UInt8.self).baseAddress else { return }
        guard !isOver.load(ordering: .relaxed) else { return droppedLate.increment() }
        let waiting = buffers[ThreadOrdinal.current % Self.bufferCount].bytes.withLock { buffer in
            guard buffer.count + line.count <= Self.bufferBytes else { return -1 }
            buffer.append(bytes, count: line.count)
            return buffer.count
        }
        guard waiting >= 0 else { return droppedBeforeWriter.increment() }
        // The lock orders this after the writer's look into the buffer, if that look missed the line.
        let activity = activity.load(ordering: .relaxed)
        if activity != Activity.working, activity == Activity.asleep || waiting >= Self.hurryBytes { wake() }
    }

    /// Wakes the writer, once.
    @inline(never)
    private func wake() {
        guard activity.exchange(Activity.working, ordering: .acquiringAndReleasing) != Activity.working else { return }
        wakeUp.signal()
    }

    // MARK: The writer's thread

    /// Starts the thread, once.
    func start() {
        guard !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        shipper?.start()
        vitrine_crash_set_flusher(wakeUp.descriptor)
        DetachedThread.start(name: "log-writer") { [self] in run() }
    }

    /// Writes what waits, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        // Lines may wait also when nobody came to start the writer, because something else failed to start.
        start()
        let deadline = TelemetryClock.system.monotonicNanoseconds() + UInt64(max(0, timeoutMilliseconds)) * 1_000_000
        stopAt.store(deadline, ordering: .sequentiallyConsistent)
        wakeUp.signal()
        // The thread may hang in a write to a broken disk, which nothing can interrupt.
        await Deadline.race(milliseconds: timeoutMilliseconds + Self.graceMilliseconds) { [self] in await end() }
        if let shipper {
            let now = TelemetryClock.system.monotonicNanoseconds()
            await shipper.shutdown(timeoutMilliseconds: Int((max(now, deadline) - now) / 1_000_000))
        }
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

    private func run() {
        var drain = LogDrain(output, limit: Self.queueBytes, losses: losses)
        var spare = ByteBuffer(capacity: 4 * 1024)
        vitrine_crash_claim_flusher()
        defer { vitrine_crash_clear_flusher() }
        while true {
            var crashLineBytes: UInt64 = 0
            if let line = vitrine_crash_line(&crashLineBytes) {
                flush(&drain, &spare, crashLine: UnsafeRawBufferPointer(start: line, count: Int(crashLineBytes)))
            }
            turnCount.wrappingAdd(1, ordering: .relaxed)
            drain.drain()
            let hasMoved = collect(into: &drain, through: &spare)
            outputWaiting.store(drain.waiting, ordering: .relaxed)
            let deadline = stopAt.load(ordering: .acquiring)
            if deadline != .max {
                if drain.waiting == 0, !hasMoved { break }
                if TelemetryClock.system.monotonicNanoseconds() >= deadline { break }
                if drain.waiting > 0 { wait(Self.stoppingMilliseconds, for: drain.descriptor) }
            } else if drain.waiting > 0 {
                wait(shipper == nil ? Self.blockedMilliseconds : Self.restMilliseconds, for: drain.descriptor)
            } else if hasMoved {
                wait(Self.restMilliseconds)
            } else {
                sleep(&spare)
            }
        }
        isOver.store(true, ordering: .relaxed)
        drain.discard()
        let waiters = ended.withLock { ended in
            ended.hasEnded = true
            let waiters = ended.waiters
            ended.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Moves what the threads have logged to the destinations.
    private func collect(into drain: inout LogDrain, through spare: inout ByteBuffer) -> Bool {
        var hasMoved = false
        for buffer in buffers {
            buffer.bytes.withLock { bytes in
                if bytes.count > 0 { swap(&bytes, &spare) }
            }
            guard spare.count > 0 else { continue }
            hasMoved = true
            spare.withBytes { bytes in
                shipper?.offer(bytes)
                drain.offer(bytes)
            }
            spare.removeAll()
        }
        return hasMoved
    }

    /// Writes what can be written in the little time that a crashing process waits.
    private func flush(_ drain: inout LogDrain, _ spare: inout ByteBuffer, crashLine: UnsafeRawBufferPointer) {
        for buffer in buffers {
            // The thread that crashed may hold its lock for ever.
            _ = buffer.bytes.withLockIfAvailable { swap(&$0, &spare) }
            spare.withBytes { bytes in
                shipper?.offer(bytes)
                drain.offer(bytes)
            }
            spare.removeAll()
        }
        shipper?.offer(crashLine)
        for _ in 0..<Self.crashTurns where drain.waiting > 0 || shipper?.isIdle == false {
            usleep(UInt32(Self.stoppingMilliseconds) * 1_000)
            drain.drain()
        }
        vitrine_crash_flushed()
    }

    /// Lets lines gather, or the output get room.
    private func wait(_ milliseconds: Int32, for output: Int32 = -1) {
        activity.store(Activity.resting, ordering: .sequentiallyConsistent)
        wakeUp.sleep(milliseconds: milliseconds, other: output, events: Int32(POLLOUT))
        activity.store(Activity.working, ordering: .relaxed)
    }

    /// Sleeps until there is something to do.
    private func sleep(_ spare: inout ByteBuffer) {
        spare.shrink(to: Self.keptBytes)
        activity.store(Activity.asleep, ordering: .sequentiallyConsistent)
        if areBuffersEmpty(), stopAt.load(ordering: .sequentiallyConsistent) == .max {
            wakeUp.sleep(milliseconds: -1)
        }
        activity.store(Activity.working, ordering: .relaxed)
    }

    /// The last look before sleep; what a burst has left of storage is given back.
    private func areBuffersEmpty() -> Bool {
        buffers.allSatisfy { buffer in
            buffer.bytes.withLock { bytes in
                guard bytes.count == 0 else { return false }
                bytes.shrink(to: Self.keptBytes)
                return true
            }
        }
    }
}
