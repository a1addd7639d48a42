internal import Glibc
internal import Telemetry

/// Whole log lines that wait for a slow destination, in order, bounded.
struct LineQueue: ~Copyable {
    private var buffer = ByteBuffer(capacity: 4 * 1024)
    private var head = 0
    private let limit: Int

    /// - Parameter limit: bytes that may wait.
    init(limit: Int) { self.limit = limit }

    var count: Int { buffer.count - head }
    var isEmpty: Bool { count == 0 }

    /// Appends the lines of `chunk` that fit.
    /// - Returns: how many did not.
    mutating func append(_ chunk: UnsafeRawBufferPointer) -> Int {
        guard let bytes = chunk.bindMemory(to: UInt8.self).baseAddress else { return 0 }
        var fitting = chunk.count
        let room = limit - count
        if fitting > room {
            fitting = room
            while fitting > 0, bytes[fitting - 1] != UInt8(ascii: "\n") { fitting -= 1 }
        }
        compact()
        buffer.append(bytes, count: fitting)
        return UnsafeRawBufferPointer(rebasing: chunk[fitting...]).lineCount
    }

    /// Moves lines to `target`: at most `maxBytes`, but always one line when there is one.
    mutating func moveLines(to target: inout ByteBuffer, maxBytes: Int) {
        var end = min(count, maxBytes)
        let start = buffer.base + head
        while end > 0, start[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        if end == 0 {
            while end < count, end == 0 || start[end - 1] != UInt8(ascii: "\n") { end += 1 }
        }
        target.append(start, count: end)
        removeFirst(end)
    }

    /// The waiting bytes; they must not escape.
    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        body(UnsafeRawBufferPointer(start: buffer.base + head, count: count))
    }

    mutating func removeFirst(_ length: Int) {
        head += length
        if head == buffer.count {
            head = 0
            buffer.removeAll()
            buffer.shrink(to: 64 * 1024)
        }
    }

    /// Forgets everything.
    /// - Returns: how many lines that were.
    mutating func discard() -> Int {
        let lines = withBytes { $0.lineCount }
        removeFirst(count)
        return lines
    }

    /// Moves the rest to the front when half of the storage is used up.
    private mutating func compact() {
        guard head > limit / 2 else { return }
        buffer.removeFirst(head)
        head = 0
    }
}

extension UnsafeRawBufferPointer {
    /// Line feeds among the bytes. Whatever a full destination loses is counted, so this is as fast as the library has it.
    var lineCount: Int {
        guard var next = baseAddress else { return 0 }
        let end = next + count
        var lines = 0
        while next < end, let found = memchr(next, Int32(UInt8(ascii: "\n")), end - next) {
            lines += 1
            next = UnsafeRawPointer(found) + 1
        }
        return lines
    }
}
