internal import Telemetry

/// Encoded spans or log records that go to the collector in one request.
package struct EncodedBatch: Sendable {
    var chunks: [EncodedChunk] = []
    /// Spans or log records in it.
    package internal(set) var count = 0
    /// Their bytes on the wire, without the envelope.
    package internal(set) var byteCount = 0

    /// Whether there is nothing to send.
    package var isEmpty: Bool { count == 0 }

    mutating func append(_ chunk: EncodedChunk) {
        chunks.append(chunk)
        count += chunk.itemCount
        byteCount += chunk.byteCount
    }
}

/// Encoded items of one queue, each behind a head of two words: its length and the number of its resource.
///
/// Safety (`@unchecked Sendable`): owned by one at a time, by the queue under its lock until it is drained, by the
/// exporter after that.
final class EncodedChunk: @unchecked Sendable {
    private struct Content: ~Copyable {
        var bytes: ByteBuffer
        var itemCount = 0
    }

    /// Behind a pointer, because a variable of a class is checked for exclusive access whenever it is touched.
    private let content: UnsafeMutablePointer<Content>
    /// The queue that it came from.
    let queue: Int

    var itemCount: Int { content.pointee.itemCount }
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

    /// Appends what `encode` writes.
    /// - Returns: false, without it, when it takes more than `limit` bytes.
    @inline(__always)
    func append(resource: UInt32, limit: Int, _ encode: (inout ByteBuffer) -> Void) -> Bool {
        let content = content
        let start = content.pointee.bytes.count
        content.pointee.bytes.reserve(Self.headBytes)
        content.pointee.bytes.count += Self.headBytes
        encode(&content.pointee.bytes)
        let length = content.pointee.bytes.count - start - Self.headBytes
        guard length <= limit else {
            content.pointee.bytes.count = start
            return false
        }
        let head = UnsafeMutableRawPointer(content.pointee.bytes.base + start)
        head.storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
        head.storeBytes(of: resource, toByteOffset: 4, as: UInt32.self)
        content.pointee.itemCount &+= 1
        return true
    }

    /// Calls `body` for every item, in the order in which they came.
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

    /// Forgets the items, and all storage but `kept` bytes.
    func removeAll(keeping kept: Int) {
        content.pointee.bytes.removeAll()
        content.pointee.bytes.shrink(to: kept)
        content.pointee.itemCount = 0
    }
}
