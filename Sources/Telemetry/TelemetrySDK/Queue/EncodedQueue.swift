internal import Synchronization
internal import Telemetry

/// Holds encoded spans or log records until the exporter fetches them.
///
/// An item is written into the shard of the thread that has it: threads never wait for each other, only, for an instant,
/// for the exporter that empties the shard. A full shard, by items or by bytes, refuses.
package final class EncodedQueue: Sendable {
    struct Limits {
        /// Items that wait at most, for each shard.
        var maxItems: Int
        /// Bytes that wait at most, for each shard.
        var maxBytes: Int
        /// Items of one batch.
        var maxBatch: Int
    }

    enum Admission {
        case accepted, completesBatch, full, tooLarge
    }

    /// What one thread has written.
    private struct Content {
        /// Full chunks, the oldest first.
        var sealed: [EncodedChunk] = []
        /// The chunk that grows.
        var open: EncodedChunk?
        /// An empty chunk, kept so that a queue in the steady state allocates nothing.
        var spare: EncodedChunk?
        var count = 0
        var byteCount = 0
        /// The numbers of the resources that this shard has met.
        var known: [(resource: ObjectIdentifier, number: UInt32)] = []
    }

    private final class Shard: Sendable {
        let content = Mutex(Content())
    }

    /// Shards; threads share them by their ordinal.
    private static let shardCount = 16
    /// A chunk is full with so many bytes, or with the items of a batch.
    private static let chunkBytes = 256 * 1024
    /// What a new chunk has room for.
    private static let firstChunkBytes = 64 * 1024
    /// An item larger than this would not fit into a request.
    package static let maxItemBytes = 2 * 1024 * 1024
    /// Bytes of a batch; with the envelope it stays under what collectors take.
    package static let maxBatchBytes = 4 * 1024 * 1024 - 256 * 1024

    private let limits: Limits
    private let shards: [Shard]
    /// Every resource that a waiting item may belong to, by its number.
    private let resources = Mutex<[ServiceResourceReference]>([])

    init(_ limits: Limits) {
        self.limits = limits
        shards = (0..<Self.shardCount).map { _ in Shard() }
    }

    /// Items that wait.
    package var count: Int { shards.reduce(0) { sum, shard in sum + shard.content.withLock { $0.count } } }

    /// Items that wait in the fullest shard: at `maxItems` it refuses, whatever room there is in the others.
    package var fullestCount: Int {
        shards.reduce(0) { most, shard in max(most, shard.content.withLock { $0.count }) }
    }

    /// Appends what `encode` writes, unless there is no room.
    @inline(__always)
    func append(_ resource: ServiceResourceReference, _ encode: (inout ByteBuffer) -> Void) -> Admission {
        let index = ThreadOrdinal.current % Self.shardCount
        return shards[index].content.withLock { content in
            guard content.count < limits.maxItems, content.byteCount < limits.maxBytes else { return .full }
            let chunk = content.open ?? Self.openChunk(&content, index)
            let before = chunk.byteCount
            let number = number(of: resource, &content)
            guard chunk.append(resource: number, limit: Self.maxItemBytes, encode) else { return .tooLarge }
            content.count &+= 1
            content.byteCount &+= chunk.byteCount &- before
            if chunk.itemCount >= limits.maxBatch || chunk.byteCount >= Self.chunkBytes {
                content.sealed.append(chunk)
                content.open = nil
                return .completesBatch
            }
            return content.count >= limits.maxBatch ? .completesBatch : .accepted
        }
    }

    @inline(never)
    private static func openChunk(_ content: inout Content, _ index: Int) -> EncodedChunk {
        let chunk = content.spare ?? EncodedChunk(capacity: firstChunkBytes, queue: index)
        content.spare = nil
        content.open = chunk
        return chunk
    }

    @inline(__always)
    private func number(of resource: ServiceResourceReference, _ content: inout Content) -> UInt32 {
        let identifier = ObjectIdentifier(resource)
        for entry in content.known where entry.resource == identifier { return entry.number }
        return learn(resource, &content)
    }

    @inline(never)
    private func learn(_ resource: ServiceResourceReference, _ content: inout Content) -> UInt32 {
        let number = resources.withLock { resources in
            if let index = resources.firstIndex(where: { $0 === resource }) { return UInt32(index) }
            resources.append(resource)
            return UInt32(resources.count - 1)
        }
        content.known.append((ObjectIdentifier(resource), number))
        return number
    }

    /// The resource of that number.
    func resource(_ number: UInt32) -> ServiceResourceReference { resources.withLock { $0[Int(number)] } }

    /// Takes the next batch, the oldest items of each shard first; empty when nothing waits.
    package func drain() -> EncodedBatch {
        var batch = EncodedBatch()
        for shard in shards {
            shard.content.withLock { content in
                while let chunk = content.sealed.first ?? content.open {
                    guard
                        batch.isEmpty
                            || batch.count + chunk.itemCount <= limits.maxBatch
                                && batch.byteCount + chunk.byteCount <= Self.maxBatchBytes
                    else { return }
                    if content.sealed.isEmpty { content.open = nil } else { content.sealed.removeFirst() }
                    content.count -= chunk.itemCount
                    content.byteCount -= chunk.byteCount
                    batch.append(chunk)
                }
            }
        }
        return batch
    }

    /// Gives the memory of a batch back, once it is encoded.
    package func recycle(_ batch: EncodedBatch) {
        for chunk in batch.chunks {
            chunk.removeAll(keeping: Self.chunkBytes)
            shards[chunk.queue].content.withLock { content in
                if content.spare == nil { content.spare = chunk }
            }
        }
    }
}
