internal import Synchronization
package import Telemetry

/// A circuit breaker that many callers share, and whose state is seen as a gauge. Half-open counts as open: most calls are
/// still refused.
package final class SharedBreaker: Sendable {
    private let breaker: Mutex<CircuitBreaker>
    private let isOpen: GaugeSeries

    /// - Parameter isOpen: 1 while nothing is let through, else 0.
    package init(policy: CircuitBreaker.Policy = .init(), isOpen: GaugeSeries) {
        self.isOpen = isOpen
        breaker = Mutex(CircuitBreaker(policy: policy, now: Self.now))
        isOpen.set(0)
    }

    /// Whether a call may go out; a true answer must be followed by `record` or `abandon`.
    package func admits() -> Bool { breaker.withLock { $0.admits(now: Self.now) } }

    /// The caller gave up: that says nothing about the other side.
    package func abandon() { breaker.withLock { $0.abandon() } }

    package func record(success: Bool) {
        let (before, after) = breaker.withLock { breaker in
            let before = breaker.isOpen
            breaker.record(success: success, now: Self.now)
            return (before, breaker.isOpen)
        }
        if before != after { isOpen.set(after ? 1 : 0) }
    }

    private static var now: UInt64 { TelemetryClock.system.monotonicNanoseconds() }
}

extension CircuitBreaker {
    fileprivate var isOpen: Bool { if case .closed = state { false } else { true } }
}
