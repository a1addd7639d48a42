internal import Synchronization

/// The last lines of one request, message or run of a job that are below the level: written only if the request fails or is slow, when they are
/// wanted, and forgotten otherwise.
///
/// Bounded for each request and for all together; without room the oldest lines of the request make place.
package final class LogDetails: Sendable {
    /// Bytes of all requests together.
    static let maxTotalBytes = 8 * 1024 * 1024
    private static let totalBytes = Atomic<Int>(0)

    private struct State: ~Copyable {
        var lines: ByteBuffer?
        var dropped = 0
    }

    private let maxBytes: Int
    private let lost: CounterSeries
    private let state = Mutex(State())

    /// - Parameters:
    ///   - maxBytes: of this request.
    ///   - lost: counts wanted lines that had made place or found none.
    init(maxBytes: Int, lost: CounterSeries) {
        self.maxBytes = maxBytes
        self.lost = lost
    }

    deinit {
        state.withLock { state in
            if let count = state.lines?.capacity { _ = Self.totalBytes.wrappingSubtract(count, ordering: .relaxed) }
        }
    }

    /// Takes one line, its line feed included.
    func keep(_ line: UnsafeRawBufferPointer) {
        guard let bytes = line.bindMemory(to: UInt8.self).baseAddress else { return }
        state.withLock { state in
            guard line.count <= maxBytes, var lines = Self.storage(&state, maxBytes) else {
                state.dropped += 1
                return
            }
            if lines.count + line.count > maxBytes { state.dropped += Self.makeRoom(line.count, maxBytes, &lines) }
            lines.append(bytes, count: line.count)
            state.lines = consume lines
        }
    }

    /// Writes what was kept and forgets it.
    func release(to sink: any LogSink) {
        state.withLock { state in
            lost.add(Double(state.dropped))
            state.dropped = 0
            guard var lines = state.lines.take() else { return }
            var start = 0
            for index in 0..<lines.count where lines.base[index] == UInt8(ascii: "\n") {
                sink.write(UnsafeRawBufferPointer(start: lines.base + start, count: index + 1 - start))
                start = index + 1
            }
            lines.removeAll()
            state.lines = consume lines
        }
    }

    private static func storage(_ state: inout State, _ maxBytes: Int) -> ByteBuffer? {
        if let lines = state.lines.take() { return lines }
        // Counted at its largest: it never grows beyond.
        let total = totalBytes.wrappingAdd(maxBytes, ordering: .relaxed).newValue
        guard total <= maxTotalBytes else {
            totalBytes.wrappingSubtract(maxBytes, ordering: .relaxed)
            return nil
        }
        return ByteBuffer(capacity: maxBytes)
    }

    /// Removes the oldest lines.
    /// - Returns: how many.
    private static func makeRoom(_ length: Int, _ maxBytes: Int, _ lines: inout ByteBuffer) -> Int {
        var removed = 0
        var end = 0
        while end < lines.count, lines.count - end + length > maxBytes {
            while lines.base[end] != UInt8(ascii: "\n") { end += 1 }
            end += 1
            removed += 1
        }
        lines.removeFirst(end)
        return removed
    }
}

/// Which details are kept, and of which requests they are written.
package struct LogDetailsPolicy: Sendable {
    /// Of one request; 0 to keep none.
    package var maxBytes: Int
    /// A request that takes longer is slow.
    package var slowNanoseconds: UInt64

    package init(maxBytes: Int, slowMilliseconds: Int) {
        self.maxBytes = max(0, maxBytes)
        slowNanoseconds = UInt64(max(0, slowMilliseconds)) * 1_000_000
    }

    /// None.
    package static let off = LogDetailsPolicy(maxBytes: 0, slowMilliseconds: 0)
}

extension Logger {
    /// A place for the details of one request, or nil when none are kept.
    package func makeDetails() -> LogDetails? { core.shared.makeDetails() }

    /// Runs work that is no request, a message's handler or a job, in a context that keeps its details; they are written
    /// if it has failed or was slow.
    /// - Parameter body: tells whether it has failed.
    package func withDetails<T>(_ body: () async -> (result: T, hasFailed: Bool)) async -> T {
        guard let details = makeDetails() else { return await body().result }
        let start = core.shared.clock.monotonicNanoseconds()
        return await TelemetryContext.$current.withValue(TelemetryContext.current.keeping(details)) {
            let (result, hasFailed) = await body()
            let nanoseconds = core.shared.clock.monotonicNanoseconds() &- start
            finishDetails(details, hasFailed: hasFailed, durationNanoseconds: nanoseconds)
            return result
        }
    }

    /// Writes the details of a request that has failed or was slow; call it once, at its end.
    package func finishDetails(_ details: LogDetails, hasFailed: Bool, durationNanoseconds: UInt64) {
        guard hasFailed || durationNanoseconds >= core.shared.details.slowNanoseconds else { return }
        if let sink = core.shared.sink { details.release(to: sink) }
    }
}
