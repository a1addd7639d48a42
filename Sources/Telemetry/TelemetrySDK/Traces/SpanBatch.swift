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
        byteCount += chunk.byteCount
    }
}

/// Encoded spans of one queue, each behind a head of two words: its length and the number of its resource.
///
/// Safety (`@unchecked Sendable`): owned by one at a time, by the queue under its lock until it is drained, by the
/// exporter after that.
final class SpanChunk: @unchecked Sendable {
    private struct Content: ~Copyable {
        var bytes: ByteBuffer
        var spanCount = 0
    }

    /// Behind a pointer, because a variable of a class is checked for exclusive access whenever it is touched.
    private let content: UnsafeMutablePointer<Content>
    /// The queue that it came from.
    let queue: Int

    var spanCount: Int { content.pointee.spanCount }
    var byteCount: Int { content.pointee.bytes.count }

    static let headBytes = 8

    init(capacity: Int, queue: Int) {
        content = .allocate(capacity: 1)
        content.initialize(to: Content(bytes: ByteBuffer(capacity: capacity)))
        self.queue = queue
    }

    deinit {
        content.deinitialize(count: 1)
        content.deallocate()
    }

    /// Appends a span.
    /// - Returns: false, without it, when it would take more than `limit` bytes.
    func append(_ span: Span, resource: UInt32, limit: Int) -> Bool {
        let content = content
        let start = content.pointee.bytes.count
        content.pointee.bytes.reserve(Self.headBytes)
        content.pointee.bytes.count += Self.headBytes
        span.appendOTLP(to: &content.pointee.bytes)
        let length = content.pointee.bytes.count - start - Self.headBytes
        guard length <= limit else {
            content.pointee.bytes.count = start
            return false
        }
        let head = UnsafeMutableRawPointer(content.pointee.bytes.base + start)
        head.storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
        head.storeBytes(of: resource, toByteOffset: 4, as: UInt32.self)
        content.pointee.spanCount &+= 1
        return true
    }

    /// Calls `body` for every span, in the order of their ends.
    func forEach(_ body: (_ resource: UInt32, UnsafeBufferPointer<UInt8>) -> Void) {
        var offset = 0
        let base = content.pointee.bytes.base
        while offset < byteCount {
            let head = UnsafeRawPointer(base + offset)
            let length = Int(head.loadUnaligned(as: UInt32.self))
            let resource = head.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            offset += Self.headBytes
            body(resource, UnsafeBufferPointer(start: base + offset, count: length))
            offset += length
        }
    }

    /// Forgets the spans, and all storage but `kept` bytes.
    func removeAll(keeping kept: Int) {
        content.pointee.bytes.removeAll()
        content.pointee.bytes.shrink(to: kept)
        content.pointee.spanCount = 0
    }
}
