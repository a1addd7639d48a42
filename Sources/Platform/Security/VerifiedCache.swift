internal import Glibc
internal import Synchronization
internal import Values

/// What signed texts were found to say, so that a caller who shows the same token with every request costs one
/// signature check. Bounded; times are checked again at each use by who asks.
final class VerifiedCache<Claims: Sendable>: Sendable {
    /// Apart, so that loops seldom wait for one another.
    private static var shardCount: Int { 16 }
    private let shards: [Entries]

    private final class Entries: Sendable {
        let values: Mutex<BoundedCache<SignedText, Claims>>
        init(capacity: Int) { values = Mutex(BoundedCache(capacity: capacity)) }
    }

    /// - Parameter capacity: entries in all; 32 or more.
    init(capacity: Int) {
        shards = (0..<Self.shardCount).map { _ in Entries(capacity: max(2, capacity / Self.shardCount)) }
    }

    subscript(text: SignedText) -> Claims? {
        get { shard(text).values.withLock { $0[text] } }
    }

    func insert(_ claims: Claims, for text: SignedText) { shard(text).values.withLock { $0[text] = claims } }

    func remove(_ text: SignedText) { shard(text).values.withLock { $0[text] = nil } }

    var count: Int { shards.reduce(0) { $0 + $1.values.withLock { $0.count } } }

    private func shard(_ text: SignedText) -> Entries { shards[Int(text.tail % UInt64(Self.shardCount))] }
}

/// A token as it was sent. Its last bytes are those of a signature: as good as a hash of the whole, and free. Only what
/// was verified is ever kept, so nobody can choose signatures that meet.
struct SignedText: Hashable, Sendable {
    let bytes: [UInt8]
    /// The last eight bytes.
    let tail: UInt64

    init(_ text: UnsafeBufferPointer<UInt8>) {
        bytes = Array(text)
        tail = text.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// An array would be compared byte by byte.
    static func == (a: SignedText, b: SignedText) -> Bool {
        guard a.tail == b.tail, a.bytes.count == b.bytes.count else { return false }
        return a.bytes.withUnsafeBytes { left in
            b.bytes.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return memcmp(left, right, a.bytes.count) == 0
            }
        }
    }

    func hash(into hasher: inout Hasher) { hasher.combine(tail) }
}
