internal import HTTPCodec
internal import Resilience
internal import Synchronization
package import Telemetry

/// What keeps a service that fails or has become slow from taking this one along: for each that is called, whoever in this
/// service calls it, a circuit breaker and a bound on the calls at once.
package final class ServiceBreakers: Sendable {
    package static let refused = Counter(
        "service_client_refusals_total",
        help: "Calls to another service that were not made, because it fails or holds too many calls already.",
        labels: ["upstream"])
    package static let open = Gauge(
        "service_client_breaker_open", help: "1 while calls to a service are refused because it fails.",
        labels: ["upstream"])

    /// Every name that calls to other services emit, beside those of the HTTP client.
    static let declarations = TelemetryDeclarations(metrics: [refused.declaration, open.declaration])

    private let refusals: CounterFamily
    private let gauges: GaugeFamily
    private let maxCalls: Int
    private let upstreams = Mutex<[String: Upstream]>([:])

    /// One service that is called.
    struct Upstream: Sendable {
        let breaker: SharedBreaker
        let bulkhead: Bulkhead
        let refusals: CounterSeries
    }

    init(_ telemetry: Telemetry, maxCalls: Int) {
        self.maxCalls = maxCalls
        refusals = telemetry.metrics.counter(Self.refused)
        gauges = telemetry.metrics.gauge(Self.open)
    }

    subscript(service: String) -> Upstream {
        upstreams.withLock { upstreams in
            if let known = upstreams[service] { return known }
            let upstream = Upstream(
                breaker: SharedBreaker(isOpen: gauges.series(service)), bulkhead: Bulkhead(limit: maxCalls),
                refusals: refusals.series(service))
            upstreams[service] = upstream
            return upstream
        }
    }

    /// Asks whether a call may be made.
    /// - Returns: what must be told of its end: the breaker of how, the bulkhead of that.
    /// - Throws: `ServiceCallError` with status 503 when it may not.
    func admit(_ service: String) throws -> Upstream {
        let upstream = self[service]
        guard upstream.bulkhead.enter() else {
            upstream.refusals.increment()
            throw ServiceCallError(
                service: service, status: .serviceUnavailable,
                message: "\(maxCalls) calls wait for its answers already: no more are made")
        }
        guard upstream.breaker.admits() else {
            upstream.bulkhead.leave()
            upstream.refusals.increment()
            throw ServiceCallError(
                service: service, status: .serviceUnavailable,
                message: "it failed too often: it is left alone for a while")
        }
        return upstream
    }
}
