internal import Resilience
internal import Synchronization
internal import Telemetry

/// A circuit breaker for each service behind the gateway.
final class UpstreamBreakers: Sendable {
    private let breakers = Mutex<[String: CircuitBreaker]>([:])

    func admits(_ service: String) -> Bool {
        let now = TelemetryClock.system.monotonicNanoseconds()
        return breakers.withLock { $0[service, default: CircuitBreaker(now: now)].admits(now: now) }
    }

    func record(_ service: String, success: Bool) {
        let now = TelemetryClock.system.monotonicNanoseconds()
        breakers.withLock { $0[service, default: CircuitBreaker(now: now)].record(success: success, now: now) }
    }
}
