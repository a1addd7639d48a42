/// Placeholder for the resilience parts of the first cut: `TokenBucket`, `Backoff`, `RetryPolicy`.
package struct Backoff: Sendable {
    /// Delay before attempt `attempt` (1 is the first retry): base × 2^(attempt−1), capped, full jitter.
    package static func milliseconds(attempt: Int, base: Int = 100, cap: Int = 10_000) -> Int { fatalError("skeleton") }
}
