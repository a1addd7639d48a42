internal import Telemetry

/// Encoded spans that go to the collector in one request.
package struct SpanBatch: Sendable {
    var chunks: [SpanChunk] = []
    /// Spans in it.
    package internal(set) var count = 0
    /// Their bytes on the wire, without the envelope.
    package internal(set) var byteCount = 0

    /// Whether there is nothing to send.
    package var isEmpty: Bool { count == 0 }

    mutating func append(_ chunk: SpanChunk) {
        chunks.append(chunk)
        count += chunk.spanCount
        byteCount += chunk.bytes.count
    }
}

/// Encoded spans of one queue, each behind a head of two words: its length and the number of its resource.
///
/// Safety (`@unchecked Sendable`): owned by one at a time, by the queue under its lock until it is drained, by the
/// exporter after that.
final class SpanChunk: @unchecked Sendable {
    var bytes: ByteBuffer
    var spanCount = 0
    /// The queue that it came from.
    let queue: Int

    static let headBytes = 8

    init(capacity: Int, queue: Int) {
        bytes = ByteBuffer(capacity: capacity)
        self.queue = queue
    }

    /// Appends a span.
    /// - Returns: false, without it, when it would take more than `limit` bytes.
    func append(_ span: Span, resource: UInt32, limit: Int) -> Bool {
        let start = bytes.count
        bytes.reserve(Self.headBytes)
        bytes.count += Self.headBytes
        span.appendOTLP(to: &bytes)
        let length = bytes.count - start - Self.headBytes
        guard length <= limit else {
            bytes.count = start
            return false
        }
        let head = UnsafeMutableRawPointer(bytes.base + start)
        head.storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
        head.storeBytes(of: resource, toByteOffset: 4, as: UInt32.self)
        spanCount &+= 1
        return true
    }

    /// Calls `body` for every span, in the order of their ends.
    func forEach(_ body: (_ resource: UInt32, UnsafeBufferPointer<UInt8>) -> Void) {
        var offset = 0
        while offset < bytes.count {
            let head = UnsafeRawPointer(bytes.base + offset)
            let length = Int(head.loadUnaligned(as: UInt32.self))
            let resource = head.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            offset += Self.headBytes
            body(resource, UnsafeBufferPointer(start: bytes.base + offset, count: length))
            offset += length
        }
    }

    func removeAll() {
        bytes.removeAll()
        spanCount = 0
    }
}
