internal import Synchronization

/// The last lines of one request, message or run of a job that are below the level: written only if the request fails or
/// is slow, when they are wanted, and forgotten otherwise. Their records are kept beside them when somebody takes records.
///
/// Bounded for each request and for all together; without room the oldest lines of the request make place.
package final class LogDetails: Sendable {
    /// Bytes of all requests together.
    static let maxTotalBytes = 8 * 1024 * 1024
    private static let totalBytes = Atomic<Int>(0)

    private struct State: ~Copyable {
        var lines: ByteBuffer?
        /// One for each line, or none.
        var records: [KeptLogRecord] = []
        var recordBytes = 0
        var dropped = 0
    }

    private let maxBytes: Int
    /// About the bytes of all records; zero when none are kept.
    private let maxRecordBytes: Int
    private let lost: CounterSeries
    private let state = Mutex(State())

    /// What a record takes, compared with its line.
    private static let recordShare = 2

    /// - Parameters:
    ///   - maxBytes: of the lines of this request.
    ///   - keepsRecords: whether their records are kept as well.
    ///   - lost: counts wanted lines that had made place or found none.
    init(maxBytes: Int, keepsRecords: Bool, lost: CounterSeries) {
        self.maxBytes = maxBytes
        maxRecordBytes = keepsRecords ? maxBytes * Self.recordShare : 0
        self.lost = lost
    }

    deinit {
        state.withLock { state in
            guard state.lines != nil else { return }
            Self.totalBytes.wrappingSubtract(maxBytes + maxRecordBytes, ordering: .relaxed)
        }
    }

    /// Takes one line, its line feed included.
    /// - Parameter record: the same, when records are kept.
    func keep(_ line: UnsafeRawBufferPointer, _ record: KeptLogRecord?) {
        guard let bytes = line.bindMemory(to: UInt8.self).baseAddress else { return }
        let length = record?.byteCount ?? 0
        state.withLock { state in
            guard line.count <= maxBytes, length <= maxRecordBytes, var lines = storage(&state) else {
                state.dropped += 1
                return
            }
            makeRoom(line.count, length, &lines, &state)
            lines.append(bytes, count: line.count)
            if let record {
                state.records.append(record)
                state.recordBytes += length
            }
            state.lines = consume lines
        }
    }

    /// Writes what was kept and forgets it.
    func release(to sink: (any LogSink)?, _ records: (any LogRecordSink)?) {
        state.withLock { state in
            lost.add(Double(state.dropped))
            state.dropped = 0
            guard var lines = state.lines.take() else { return }
            if let sink {
                var start = 0
                for index in 0..<lines.count where lines.base[index] == UInt8(ascii: "\n") {
                    sink.write(UnsafeRawBufferPointer(start: lines.base + start, count: index + 1 - start))
                    start = index + 1
                }
            }
            for kept in state.records { records?.record(kept.record, kept.fields.span) }
            state.records = []
            state.recordBytes = 0
            lines.removeAll()
            state.lines = consume lines
        }
    }

    private func storage(_ state: inout State) -> ByteBuffer? {
        if let lines = state.lines.take() { return lines }
        // Counted at its largest: it never grows beyond.
        let bytes = maxBytes + maxRecordBytes
        let total = Self.totalBytes.wrappingAdd(bytes, ordering: .relaxed).newValue
        guard total <= Self.maxTotalBytes else {
            Self.totalBytes.wrappingSubtract(bytes, ordering: .relaxed)
            return nil
        }
        return ByteBuffer(capacity: maxBytes)
    }

    /// Removes the oldest lines and counts them.
    private func makeRoom(_ length: Int, _ recordLength: Int, _ lines: inout ByteBuffer, _ state: inout State) {
        var removed = 0
        var end = 0
        var recordBytes = state.recordBytes
        while end < lines.count,
            lines.count - end + length > maxBytes || recordBytes + recordLength > maxRecordBytes
        {
            while lines.base[end] != UInt8(ascii: "\n") { end += 1 }
            end += 1
            if removed < state.records.count { recordBytes -= state.records[removed].byteCount }
            removed += 1
        }
        guard removed > 0 else { return }
        lines.removeFirst(end)
        state.records.removeFirst(min(removed, state.records.count))
        state.recordBytes = recordBytes
        state.dropped += removed
    }
}

/// A record that waits for the end of its request: no longer than its line, and without the context that keeps it.
struct KeptLogRecord: Sendable {
    let record: LogRecord
    let fields: [Attribute]
    /// About the memory that it takes.
    let byteCount: Int

    private static let headBytes = 256
    private static let limits: SpanLimits = {
        var limits = SpanLimits()
        limits.textBytes = LogLineLayout.maxValueBytes
        return limits
    }()
    /// What the line says, too.
    private static let tag = Attribute(AttributeKey("tags"), .strings(["retroactive"]))

    init(_ record: LogRecord, _ fields: borrowing Swift.Span<Attribute>) {
        var kept: [Attribute] = []
        kept.reserveCapacity(fields.count + 1)
        var bytes = Self.headBytes + (fields.count + 1) * MemoryLayout<Attribute>.stride
        for index in 0..<min(fields.count, LogLineLayout.maxFields) {
            let value = Self.limits.limited(fields[index].value)
            switch value {
            case .string(let text): bytes += text.utf8.count
            case .strings(let texts): bytes += texts.reduce(0) { $0 + $1.utf8.count + MemoryLayout<String>.stride }
            case .int, .double, .bool: break
            }
            kept.append(Attribute(fields[index].key, value))
        }
        kept.append(Self.tag)
        let message = Self.limits.limited(record.message)
        self.record = LogRecord(
            event: record.event, message: message, logger: record.logger,
            context: TelemetryContext(span: record.context.span, requestID: record.context.requestID),
            wallNanoseconds: record.wallNanoseconds)
        self.fields = kept
        byteCount = bytes + message.utf8.count
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
        details.release(to: core.shared.sink, core.shared.records)
    }
}
