internal import ServiceKit
package import Telemetry

/// What the gateway tells beside the HTTP metrics that every service has.
package struct GatewayTelemetry: Sendable {
    package static let limited = Counter(
        "gateway_rate_limited_total", help: "Requests refused because their client sends too many.",
        labels: ["class"])
    package static let upstreamErrors = Counter(
        "gateway_upstream_errors_total", help: "Requests that a service did not answer.",
        labels: ["upstream", "error_type"])
    package static let retries = Counter(
        "gateway_retries_total", help: "Requests that were sent once more.", labels: ["upstream"])
    package static let breakerOpen = Gauge(
        "gateway_breaker_open", help: "1 while requests to a service are refused because it fails.",
        labels: ["upstream"])
    package static let breakerRefusals = Counter(
        "gateway_breaker_refusals_total", help: "Requests refused because their service fails.", labels: ["upstream"])

    static let upstreamFailed = LogEvent("gateway.upstream_failed", level: .warn, help: "A service did not answer.")

    static let declarations = TelemetryDeclarations(
        metrics: [
            limited.declaration, upstreamErrors.declaration, retries.declaration, breakerOpen.declaration,
            breakerRefusals.declaration,
        ],
        events: [upstreamFailed],
        fields: [AttributeKey("labels.upstream")])

    /// Why a request was refused.
    enum LimitClass: String, CaseIterable, Sendable { case address, user, sensitive }

    private let logger: Logger
    private let upstreamErrors: CounterFamily
    private let retries: CounterFamily
    private let breakerOpen: GaugeFamily
    private let breakerRefusals: CounterFamily
    private let limited: CounterFamily

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("gateway")
        upstreamErrors = telemetry.metrics.counter(Self.upstreamErrors)
        retries = telemetry.metrics.counter(Self.retries)
        breakerOpen = telemetry.metrics.gauge(Self.breakerOpen)
        breakerRefusals = telemetry.metrics.counter(Self.breakerRefusals)
        limited = telemetry.metrics.counter(Self.limited)
        for kind in LimitClass.allCases { _ = limited.series(kind.rawValue) }
    }

    func breakerGauge(_ upstream: String) -> GaugeSeries { breakerOpen.series(upstream) }

    func noteLimited(_ kind: LimitClass) { limited.series(kind.rawValue).increment() }

    func noteFailure(_ upstream: String, _ type: String) {
        upstreamErrors.series(upstream, type).increment()
        logger.log(
            Self.upstreamFailed, "\(upstream) did not answer: \(type)",
            [Attribute(AttributeKey("labels.upstream"), .string(upstream))])
    }

    func noteRetry(_ upstream: String) { retries.series(upstream).increment() }
    func noteRefusal(_ upstream: String) { breakerRefusals.series(upstream).increment() }
}
