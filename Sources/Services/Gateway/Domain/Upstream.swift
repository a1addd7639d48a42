internal import Resilience
internal import ServiceKit
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
    private let breaker: SharedBreaker

    /// - Parameter isOpen: 1 while nothing is let through.
    init(_ destination: Destination, policy: CircuitBreaker.Policy = .init(), isOpen: GaugeSeries) {
        self.destination = destination
        breaker = SharedBreaker(policy: policy, isOpen: isOpen)
    }

    var name: String { destination.name }

    /// Whether a request may go out; a true answer must be followed by one of the others.
    func admits() -> Bool { breaker.admits() }

    func answered() { breaker.record(success: true) }
    func failed() { breaker.record(success: false) }
    /// The caller gave up: that says nothing about the service.
    func abandoned() { breaker.abandon() }
}
