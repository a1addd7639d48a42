/// A token bucket: so many a second on average, so many at once. A pure value; the caller brings the time.
package struct TokenBucket: Sendable, Hashable {
    package let ratePerSecond: Double
    package let burst: Double
    private var tokens: Double
    private var updated: UInt64

    /// - Parameters:
    ///   - ratePerSecond: above 0. - burst: 1 or more.
    ///   - now: monotonic nanoseconds.
    package init(ratePerSecond: Double, burst: Double, now: UInt64) {
        precondition(ratePerSecond > 0 && burst >= 1)
        self.ratePerSecond = ratePerSecond
        self.burst = burst
        tokens = burst
        updated = now
    }

    /// Takes one token.
    /// - Returns: nil when there was one; else the seconds until there will be.
    package mutating func take(now: UInt64) -> Double? {
        refill(now)
        if tokens >= 1 {
            tokens -= 1
            return nil
        }
        return (1 - tokens) / ratePerSecond
    }

    /// Tokens that are left, rounded down.
    package mutating func remaining(now: UInt64) -> Int {
        refill(now)
        return Int(tokens)
    }

    /// Whether it has been left alone long enough to be full again: then forgetting it changes nothing.
    package func isFull(now: UInt64) -> Bool {
        let elapsed = now > updated ? Double(now - updated) / 1e9 : 0
        return tokens + elapsed * ratePerSecond >= burst
    }

    private mutating func refill(_ now: UInt64) {
        guard now > updated else { return }
        tokens = min(burst, tokens + Double(now - updated) / 1e9 * ratePerSecond)
        updated = now
    }
}
