internal import Glibc
internal import Synchronization
internal import Telemetry

/// Takes the log lines of all services of the process and writes them to standard output, and to Logstash when there
/// is one, on a thread of its own.
///
/// A line is copied into the buffer of the thread that logs; the writer swaps these buffers out. A full buffer, or a
/// destination that does not keep up, costs lines, which are counted, and never time.
final class LogWriter: LogSink {
    static let dropped = Counter(
        "telemetry_log_lines_dropped_total", help: "Log lines that were lost, by destination and reason.",
        labels: ["destination", "reason"])
    static let waiting = Gauge(
        "telemetry_log_queue_bytes", unit: .bytes, help: "Log bytes that wait for a destination.",
        labels: ["destination"])

    /// Bytes that the buffer of one thread takes until the writer comes by.
    static let bufferBytes = 1024 * 1024
    /// Bytes that wait for standard output.
    static let queueBytes = 4 * 1024 * 1024
    private static let bufferCount = 16
    /// POSIX guarantees that a pipe that polls writable takes this much at once.
    private static let pipeChunkBytes = 4_096
    /// The writer rests so long after work, so that busy threads need not wake it for every line.
    private static let restMilliseconds: Int32 = 2
    /// What the thread gets beyond its deadline to notice it.
    private static let graceMilliseconds = 500
    /// A wake-up that was missed costs at most this.
    private static let sleepMilliseconds: Int32 = 250

    private final class Buffer: Sendable {
        let bytes = Mutex(ByteBuffer(capacity: 4 * 1024))
    }

    private let buffers: [Buffer]
    private let wakeUp = WakeUp()
    private let isAsleep = Atomic<Bool>(false)
    private let isStarted = Atomic<Bool>(false)
    private let isOver = Atomic<Bool>(false)
    private let stopAt = Atomic<UInt64>(UInt64.max)
    private let output: Int32
    private let shipper: LogstashShipper?
    private let outputWaiting = Atomic<Int>(0)
    private let droppedBeforeWriter: CounterSeries
    private let droppedFull: CounterSeries
    private let droppedClosed: CounterSeries
    private let droppedLate: CounterSeries
    private let ended = Mutex<(hasEnded: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    /// - Parameter output: the descriptor to write to; it is neither changed nor closed.
    init(output: Int32 = STDOUT_FILENO, shipper: LogstashShipper?, metrics: MetricRegistry) {
        self.output = output
        self.shipper = shipper
        buffers = (0..<Self.bufferCount).map { _ in Buffer() }
        let family = metrics.counter(Self.dropped)
        droppedBeforeWriter = family.series("all", "buffer_full")
        droppedFull = family.series("stdout", "buffer_full")
        droppedClosed = family.series("stdout", "closed")
        droppedLate = family.series("all", "already_shutdown")
        metrics.observe(Self.waiting, labels: ["stdout"]) { [weak self] in
            Double(self?.outputWaiting.load(ordering: .relaxed) ?? 0)
        }
    }

    func write(_ line: UnsafeRawBufferPointer) {
        guard let bytes = line.bindMemory(to: UInt8.self).baseAddress else { return }
        guard !isOver.load(ordering: .relaxed) else { return droppedLate.increment() }
        let isTaken = buffers[ThreadOrdinal.current % Self.bufferCount].bytes.withLock { buffer in
            guard buffer.count + line.count <= Self.bufferBytes else { return false }
            buffer.append(bytes, count: line.count)
            return true
        }
        guard isTaken else { return droppedBeforeWriter.increment() }
        if isAsleep.load(ordering: .relaxed), isAsleep.exchange(false, ordering: .acquiringAndReleasing) {
            wakeUp.signal()
        }
    }

    // MARK: The writer's thread

    /// Starts the thread, once.
    func start() {
        guard !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        shipper?.start()
        DetachedThread.start(name: "log-writer") { [self] in run() }
    }

    /// Writes what waits, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        // Lines may wait also when nobody came to start the writer, because something else failed to start.
        start()
        let deadline = TelemetryClock.system.monotonicNanoseconds() + UInt64(max(0, timeoutMilliseconds)) * 1_000_000
        stopAt.store(deadline, ordering: .releasing)
        wakeUp.signal()
        // The thread may hang in a write to a stopped terminal, which nothing can interrupt.
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
        var spare = ByteBuffer(capacity: 4 * 1024)
        var queue = LineQueue(limit: Self.queueBytes)
        let isPipe = Self.mayBlock(output)
        while true {
            let hasMoved = collect(into: &queue, through: &spare)
            var isBlocked = false
            while !queue.isEmpty, !isBlocked { isBlocked = !writeSome(&queue, isPipe: isPipe) }
            outputWaiting.store(queue.count, ordering: .relaxed)
            let deadline = stopAt.load(ordering: .acquiring)
            if deadline != .max {
                if queue.isEmpty, !hasMoved { break }
                if TelemetryClock.system.monotonicNanoseconds() >= deadline { break }
            }
            if isBlocked {
                // New lines are still collected in time, for the other destination.
                _ = wakeUp.sleep(milliseconds: 10, other: output, events: Int32(POLLOUT))
            } else if hasMoved {
                if deadline == .max { usleep(UInt32(Self.restMilliseconds) * 1_000) }
            } else {
                isAsleep.store(true, ordering: .sequentiallyConsistent)
                if areBuffersEmpty, stopAt.load(ordering: .sequentiallyConsistent) == .max {
                    _ = wakeUp.sleep(milliseconds: Self.sleepMilliseconds)
                }
                isAsleep.store(false, ordering: .relaxed)
            }
        }
        isOver.store(true, ordering: .relaxed)
        droppedFull.add(Double(queue.discard()))
        let waiters = ended.withLock { ended in
            ended.hasEnded = true
            let waiters = ended.waiters
            ended.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private var areBuffersEmpty: Bool { buffers.allSatisfy { $0.bytes.withLock { $0.count == 0 } } }

    /// Moves what the threads have logged to the destinations' queues.
    private func collect(into queue: inout LineQueue, through spare: inout ByteBuffer) -> Bool {
        var hasMoved = false
        for buffer in buffers {
            buffer.bytes.withLock { bytes in
                if bytes.count > 0 { swap(&bytes, &spare) }
            }
            guard spare.count > 0 else { continue }
            hasMoved = true
            let lost = spare.withBytes { bytes in
                shipper?.offer(bytes)
                return queue.append(bytes)
            }
            if lost > 0 { droppedFull.add(Double(lost)) }
            spare.removeAll()
        }
        return hasMoved
    }

    /// Writes what the output takes without blocking.
    /// - Returns: false when it takes nothing now.
    private func writeSome(_ queue: inout LineQueue, isPipe: Bool) -> Bool {
        if isPipe {
            var descriptor = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
            guard poll(&descriptor, 1, 0) > 0 else { return false }
        }
        let output = output
        let written = queue.withBytes { bytes in
            Glibc.write(output, bytes.baseAddress, isPipe ? min(bytes.count, Self.pipeChunkBytes) : bytes.count)
        }
        if written > 0 {
            queue.removeFirst(written)
            return true
        }
        if written < 0, errno == EINTR { return true }
        if written < 0, errno == EAGAIN { return false }
        // The reader has gone, or the disk is full: these lines are lost, the next ones may find a way.
        droppedClosed.add(Double(queue.discard()))
        return true
    }

    /// Whether a write may have to wait for somebody: anything but a file.
    private static func mayBlock(_ descriptor: Int32) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return true }
        return status.st_mode & S_IFMT != S_IFREG
    }
}
