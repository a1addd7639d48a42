internal import Telemetry

/// Standard output as the writer's thread sees it: lines go straight there while it takes them, and wait in a bounded
/// queue while it does not.
struct LogDrain: ~Copyable {
    private let output: LogOutput
    private var queue: LineQueue
    private let losses: CounterFamily
    private let droppedFull: CounterSeries

    /// - Parameter limit: bytes that may wait.
    init(_ descriptor: Int32, limit: Int, losses: CounterFamily) {
        output = LogOutput(descriptor)
        queue = LineQueue(limit: limit)
        self.losses = losses
        droppedFull = losses.series("stdout", "buffer_full")
    }

    /// Bytes that wait.
    var waiting: Int { queue.count }

    /// To be polled for room while bytes wait.
    var descriptor: Int32 { output.descriptor }

    /// Writes whole lines, or queues what is not taken.
    mutating func offer(_ lines: UnsafeRawBufferPointer) {
        var rest = lines[...]
        while queue.isEmpty, !rest.isEmpty {
            let bytes = UnsafeRawBufferPointer(rebasing: rest)
            switch output.write(bytes) {
            case .took(let count): rest = rest.dropFirst(count)
            case .full:
                // The queue is empty and larger than any buffer: the cut line keeps its end.
                let lost = queue.append(bytes)
                if lost > 0 { droppedFull.add(Double(lost)) }
                return
            case .lost(let reason): return count(bytes.lineCount, reason)
            }
        }
        guard !rest.isEmpty else { return }
        let lost = queue.append(UnsafeRawBufferPointer(rebasing: rest))
        if lost > 0 { droppedFull.add(Double(lost)) }
    }

    /// Writes of what waits as much as is taken.
    mutating func drain() {
        while !queue.isEmpty {
            switch queue.withBytes({ output.write($0) }) {
            case .took(let count): queue.removeFirst(count)
            case .full: return
            // The next lines may find a way.
            case .lost(let reason): count(queue.discard(), reason)
            }
        }
    }

    /// Gives up what waits.
    mutating func discard() {
        let lost = queue.discard()
        if lost > 0 { droppedFull.add(Double(lost)) }
    }

    private func count(_ lines: Int, _ reason: String) {
        if lines > 0 { losses.series("stdout", reason).add(Double(lines)) }
    }
}
