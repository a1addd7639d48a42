internal import Synchronization

/// Token buckets by key (a client's address, a user), bounded in number: an attacker who invents keys costs memory
/// up to the bound and no further.
package final class RateLimiter: Sendable {
    /// What the limiter says to one request.
    package enum Verdict: Hashable, Sendable {
        case admitted(remaining: Int)
        case refused(retryAfterSeconds: Double)
    }

    private let ratePerSecond: Double
    private let burst: Double
    private let maxKeys: Int
    private let buckets = Mutex<[String: TokenBucket]>([:])

    /// - Parameter maxKeys: when reached, full buckets are forgotten, and if none is, all.
    package init(ratePerSecond: Double, burst: Double, maxKeys: Int = 100_000) {
        self.ratePerSecond = ratePerSecond
        self.burst = burst
        self.maxKeys = maxKeys
    }

    /// - Parameter now: monotonic nanoseconds.
    package func admit(_ key: String, now: UInt64) -> Verdict {
        buckets.withLock { buckets in
            if buckets.count >= maxKeys, buckets[key] == nil {
                buckets = buckets.filter { !$0.value.isFull(now: now) }
                if buckets.count >= maxKeys { buckets.removeAll(keepingCapacity: true) }
            }
            let fresh = TokenBucket(ratePerSecond: ratePerSecond, burst: burst, now: now)
            if let wait = buckets[key, default: fresh].take(now: now) { return .refused(retryAfterSeconds: wait) }
            return .admitted(remaining: buckets[key]?.remaining(now: now) ?? 0)
        }
    }
}
