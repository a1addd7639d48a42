/// The index of a blocking query and the pace of its questions, by the rules of Consul's documentation ("Blocking
/// Queries", implementation details): an index that goes backwards starts over, an index below one counts as one, fast
/// answers are limited by a bucket of tokens, failures by a growing pause. A pure value; the caller brings the time.
package struct BlockingQuery: Sendable, Hashable {
    package struct Pace: Sendable, Hashable {
        /// Answers that may follow each other at once: a change, another, and a start over.
        package var burst = 3.0
        /// How long one more answer takes to be allowed, milliseconds.
        package var refillMilliseconds = 1_000.0
        /// The longest pause after a first failure, milliseconds; it doubles with each.
        package var failureBaseMilliseconds = 250
        package var failureCapMilliseconds = 10_000
        package init() {}
    }

    /// What the next question says; 0 asks for what is there, without waiting.
    package private(set) var index: UInt64 = 0
    /// How long the next question has to wait, milliseconds.
    package private(set) var pauseMilliseconds = 0
    private let pace: Pace
    private var failures = 0
    private var tokens: Double
    private var updated: UInt64

    /// - Parameter now: monotonic nanoseconds.
    package init(pace: Pace = Pace(), now: UInt64) {
        self.pace = pace
        tokens = pace.burst
        updated = now
    }

    /// Notes an answer.
    /// - Parameter answered: `X-Consul-Index`; nil when it is missing or no number.
    package mutating func received(index answered: UInt64?, now: UInt64) {
        failures = 0
        let answered = max(answered ?? 0, 1)
        index = answered < index ? 0 : answered
        refill(now)
        tokens -= 1
        pauseMilliseconds = tokens >= 0 ? 0 : Int((-tokens * pace.refillMilliseconds).rounded(.up))
    }

    /// Notes a question that was not answered: the next one asks for what is there, so that it is answered at once.
    /// - Parameter jitter: 0 to 1, by chance: those who failed together do not come back together.
    package mutating func failed(jitter: Double, now: UInt64) {
        failures += 1
        index = 0
        refill(now)
        let ceiling = min(pace.failureCapMilliseconds, pace.failureBaseMilliseconds << min(failures - 1, 16))
        // Never less than half of it: a peer that refuses at once is not asked at once.
        pauseMilliseconds = ceiling / 2 + Int(Double(ceiling - ceiling / 2) * min(max(jitter, 0), 1))
    }

    private mutating func refill(_ now: UInt64) {
        let elapsed = now > updated ? Double(now - updated) / 1e6 : 0
        tokens = min(pace.burst, tokens + elapsed / pace.refillMilliseconds)
        updated = max(updated, now)
    }
}
