internal import Synchronization
internal import Values

/// Token buckets by key (a client's address, a user), bounded in number: an attacker who invents keys costs memory
/// up to the bound and no further, and does not free those who are limited while they go on asking.
package final class RateLimiter: Sendable {
    /// What the limiter says to one request.
    package enum Verdict: Hashable, Sendable {
        case admitted(remaining: Int)
        case refused(retryAfterSeconds: Double)
    }

    private let ratePerSecond: Double
    private let burst: Double
    private let buckets: Mutex<BoundedCache<String, TokenBucket>>

    /// - Parameter maxKeys: when reached, those that have not asked for longest are forgotten.
    package init(ratePerSecond: Double, burst: Double, maxKeys: Int = 100_000) {
        self.ratePerSecond = ratePerSecond
        self.burst = burst
        buckets = Mutex(BoundedCache(capacity: maxKeys))
    }

    /// Keys that are remembered.
    package var keyCount: Int { buckets.withLock { $0.count } }

    /// - Parameter now: monotonic nanoseconds.
    package func admit(_ key: String, now: UInt64) -> Verdict {
        buckets.withLock { buckets in
            buckets.update(key, default: TokenBucket(ratePerSecond: ratePerSecond, burst: burst, now: now)) { bucket in
                if let wait = bucket.take(now: now) { return .refused(retryAfterSeconds: wait) }
                return .admitted(remaining: bucket.remaining(now: now))
            }
        }
    }
}
