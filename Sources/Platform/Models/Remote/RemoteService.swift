internal import HTTP
internal import HTTPCodec
internal import Resilience
internal import ServiceKit
internal import Synchronization
internal import Telemetry

/// Another service as its models see it: one breaker for all of them, so that a service which fails is left alone for a
/// while, and one bulkhead, so that a service which has become slow holds only so many of our requests. Retries within their budget, deadlines, identity and trace are `ServiceClient`'s.
final class RemoteService: Sendable {
    let name: String
    private let client: ServiceClient
    private let breaker: Mutex<CircuitBreaker>
    private let bulkhead = Bulkhead(limit: maxCalls)
    private let refusals: CounterSeries
    private let openGauge: GaugeSeries

    static let refused = Counter(
        "remote_model_refusals_total", help: "Calls to another service that were not made because it fails.",
        labels: ["upstream"])
    static let open = Gauge(
        "remote_model_breaker_open", help: "1 while calls to a service are refused because it fails.",
        labels: ["upstream"])

    /// Calls at once: ten thousand a second at the 13 ms that a call of ours takes at its slowest.
    static let maxCalls = 128
    private static let maxBodyBytes = 16 * 1024 * 1024

    init(name: String, client: ServiceClient, telemetry: Telemetry) {
        self.name = name
        self.client = client
        breaker = Mutex(CircuitBreaker(now: TelemetryClock.system.monotonicNanoseconds()))
        refusals = telemetry.metrics.counter(Self.refused).series(name)
        openGauge = telemetry.metrics.gauge(Self.open).series(name)
    }

    /// Calls that wait for an answer at the moment.
    var callsNow: Int { bulkhead.count }

    /// One call and its whole answer.
    /// - Throws: `ServiceCallError`; with status 503 and no call at all while the breaker is open.
    func exchange(
        _ method: HTTPMethod, _ path: String, template: String, as caller: Caller, body: [UInt8]? = nil,
        headers: [(name: String, value: String)] = [], isRepeatable: Bool = true
    ) async throws -> [UInt8] {
        guard bulkhead.enter() else {
            refusals.increment()
            throw ServiceCallError(
                service: name, status: .serviceUnavailable,
                message: "\(Self.maxCalls) calls wait for its answers already: no more are made")
        }
        defer { bulkhead.leave() }
        guard breaker.withLock({ $0.admits(now: Self.now) }) else {
            refusals.increment()
            throw ServiceCallError(
                service: name, status: .serviceUnavailable, message: "it failed too often: it is left alone for a while"
            )
        }
        do {
            let response = try await client.exchange(
                method, name, path, template: template, as: .user(caller.identity), body: body, headers: headers,
                isRepeatable: isRepeatable)
            let bytes = try await response.body.collect(upTo: Self.maxBodyBytes)
            record(success: true)
            return bytes
        } catch let error as ServiceCallError {
            // A refusal is an answer: the service works.
            record(success: error.status.map { $0.code < 500 } ?? false)
            throw error
        } catch is CancellationError {
            breaker.withLock { $0.abandon() }
            throw CancellationError()
        } catch {
            record(success: false)
            throw ServiceCallError(service: name, status: nil, message: "its answer broke off")
        }
    }

    private func record(success: Bool) {
        let isOpen = breaker.withLock { breaker in
            breaker.record(success: success, now: Self.now)
            if case .open = breaker.state { return true }
            return false
        }
        openGauge.set(isOpen ? 1 : 0)
    }

    private static var now: UInt64 { TelemetryClock.system.monotonicNanoseconds() }
}
