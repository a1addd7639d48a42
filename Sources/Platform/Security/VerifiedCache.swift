internal import Synchronization
internal import Values

/// What signed texts were found to say, so that a caller who shows the same token with every request costs one
/// signature check. Bounded; times are checked again at each use by who asks.
final class VerifiedCache<Claims: Sendable>: Sendable {
    /// Apart, so that loops seldom wait for one another.
    private static var shardCount: Int { 16 }
    private let shards: [Entries]

    private final class Entries: Sendable {
        let values: Mutex<BoundedCache<String, Claims>>
        init(capacity: Int) { values = Mutex(BoundedCache(capacity: capacity)) }
    }

    /// - Parameter capacity: entries in all; 32 or more.
    init(capacity: Int) {
        shards = (0..<Self.shardCount).map { _ in Entries(capacity: max(2, capacity / Self.shardCount)) }
    }

    subscript(text: String) -> Claims? {
        get { shard(text).values.withLock { $0[text] } }
    }

    func insert(_ claims: Claims, for text: String) { shard(text).values.withLock { $0[text] = claims } }

    func remove(_ text: String) { shard(text).values.withLock { $0[text] = nil } }

    var count: Int { shards.reduce(0) { $0 + $1.values.withLock { $0.count } } }

    /// The last characters of a signed text are those of its signature: as good as a hash, and free.
    private func shard(_ text: String) -> Entries {
        shards[Int(text.utf8.suffix(2).reduce(0) { $0 &* 31 &+ $1 }) % Self.shardCount]
    }
}
