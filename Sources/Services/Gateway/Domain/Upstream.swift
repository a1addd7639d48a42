internal import Resilience
internal import ServiceKit
internal import Synchronization
internal import Telemetry

/// One service behind the gateway: its instances, its circuit breaker and its share of retries.
///
/// The breaker is the service's. An instance that does not answer is set aside by its `Destination` as long as there are
/// others, so that one of two cannot close the service.
///
/// Only what the service did not answer counts as a failure. An error that it answers is its own business: one route
/// that fails must not close the others.
final class Upstream: Sendable {
    let destination: Destination
    let budget = RetryBudget()
    private let breaker: Mutex<CircuitBreaker>
    private let isOpen: GaugeSeries

    /// - Parameter isOpen: 1 while nothing is let through.
    init(_ destination: Destination, policy: CircuitBreaker.Policy = .init(), isOpen: GaugeSeries) {
        self.destination = destination
        self.isOpen = isOpen
        breaker = Mutex(CircuitBreaker(policy: policy, now: TelemetryClock.system.monotonicNanoseconds()))
        isOpen.set(0)
    }

    var name: String { destination.name }

    /// Whether a request may go out; a true answer must be followed by one of the others.
    func admits() -> Bool {
        breaker.withLock { $0.admits(now: TelemetryClock.system.monotonicNanoseconds()) }
    }

    func answered() { record(success: true) }
    func failed() { record(success: false) }
    /// The caller gave up: that says nothing about the service.
    func abandoned() { breaker.withLock { $0.abandon() } }

    private func record(success: Bool) {
        let (before, after) = breaker.withLock { breaker in
            let before = breaker.state.isOpen
            breaker.record(success: success, now: TelemetryClock.system.monotonicNanoseconds())
            return (before, breaker.state.isOpen)
        }
        if before != after { isOpen.set(after ? 1 : 0) }
    }
}

extension CircuitBreaker.State {
    /// Half-open counts as open: most requests are still refused.
    fileprivate var isOpen: Bool { if case .closed = self { false } else { true } }
}
