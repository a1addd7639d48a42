/// How long to wait before trying again: exponential with full jitter, so that those who failed together do not
/// come back together.
package struct Backoff: Sendable {
    /// A random delay from 0 to base × 2^(attempt−1), capped.
    /// - Parameters:
    ///   - attempt: 1 before the first retry.
    ///   - base: milliseconds, 1 or more. - cap: milliseconds, at least `base`.
    package static func milliseconds(attempt: Int, base: Int = 100, cap: Int = 10_000) -> Int {
        Int.random(in: 0...ceiling(attempt: attempt, base: base, cap: cap))
    }

    /// The longest delay before this attempt.
    package static func ceiling(attempt: Int, base: Int = 100, cap: Int = 10_000) -> Int {
        // Sixteen doublings of a millisecond are over a minute: more would only overflow.
        min(cap, base << min(max(attempt - 1, 0), 16))
    }
}
