/// A circuit breaker as a pure state machine: closed, open, half-open. The caller brings the time and the outcomes.
package struct CircuitBreaker: Sendable, Hashable {
    package struct Policy: Sendable, Hashable {
        /// Calls before a failure rate means anything.
        package var minimumCalls = 5
        /// Above this share of failures the circuit opens.
        package var failureRate = 0.5
        package var openNanoseconds: UInt64 = 30_000_000_000
        /// Calls that a half-open circuit lets through; all must succeed.
        package var trialCalls = 3
        /// Outcomes older than this are forgotten.
        package var windowNanoseconds: UInt64 = 30_000_000_000
        package init() {}
    }

    package enum State: Hashable, Sendable {
        case closed(calls: Int, failures: Int, since: UInt64)
        case open(until: UInt64)
        case halfOpen(started: Int, succeeded: Int)
    }

    package private(set) var state: State
    private let policy: Policy

    package init(policy: Policy = Policy(), now: UInt64) {
        self.policy = policy
        state = .closed(calls: 0, failures: 0, since: now)
    }

    /// Whether a call may go out now. A true answer must be followed by `record` or `abandon`.
    package mutating func admits(now: UInt64) -> Bool {
        switch state {
        case .closed: return true
        case .open(let until):
            guard now >= until else { return false }
            state = .halfOpen(started: 1, succeeded: 0)
            return true
        case .halfOpen(let started, let succeeded):
            guard started < policy.trialCalls else { return false }
            state = .halfOpen(started: started + 1, succeeded: succeeded)
            return true
        }
    }

    /// Notes that a call ended without saying anything about the other side: it was cancelled by its caller.
    package mutating func abandon() {
        guard case .halfOpen(let started, let succeeded) = state, started > succeeded else { return }
        state = .halfOpen(started: started - 1, succeeded: succeeded)
    }

    /// Notes how a call ended.
    package mutating func record(success: Bool, now: UInt64) {
        switch state {
        case .closed(var calls, var failures, var since):
            if now >= since + policy.windowNanoseconds { (calls, failures, since) = (0, 0, now) }
            calls += 1
            if !success { failures += 1 }
            let isTripped =
                calls >= policy.minimumCalls && Double(failures) / Double(calls) > policy.failureRate
            state =
                isTripped
                ? .open(until: now + policy.openNanoseconds) : .closed(calls: calls, failures: failures, since: since)
        case .halfOpen(let started, let succeeded):
            if !success {
                state = .open(until: now + policy.openNanoseconds)
            } else if succeeded + 1 >= policy.trialCalls {
                state = .closed(calls: 0, failures: 0, since: now)
            } else {
                state = .halfOpen(started: started, succeeded: succeeded + 1)
            }
        case .open:
            // A call from before the circuit opened: it changes nothing.
            break
        }
    }
}
