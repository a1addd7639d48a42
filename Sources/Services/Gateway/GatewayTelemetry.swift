internal import ServiceKit
internal import Telemetry

/// What the gateway tells beside the HTTP metrics that every service has.
struct GatewayTelemetry: Sendable {
    static let limited = Counter(
        "gateway_rate_limited_total", help: "Requests refused because their client sends too many.",
        labels: ["class"])
    static let upstreamErrors = Counter(
        "gateway_upstream_errors_total", help: "Requests that a service did not answer.",
        labels: ["upstream", "error_type"])
    static let breakerOpen = Counter(
        "gateway_breaker_refusals_total", help: "Requests refused because their service fails.", labels: ["upstream"])

    static let upstreamFailed = LogEvent("gateway.upstream_failed", level: .warn, help: "A service did not answer.")

    static let declarations = TelemetryDeclarations(
        metrics: [limited.declaration, upstreamErrors.declaration, breakerOpen.declaration],
        events: [upstreamFailed])

    private let logger: Logger
    private let upstreamErrors: CounterFamily
    private let breakerOpen: CounterFamily
    let limited: CounterSeries
    let limitedSensitive: CounterSeries

    init(_ telemetry: Telemetry) {
        logger = telemetry.logger.named("gateway")
        upstreamErrors = telemetry.metrics.counter(Self.upstreamErrors)
        breakerOpen = telemetry.metrics.counter(Self.breakerOpen)
        let family = telemetry.metrics.counter(Self.limited)
        limited = family.series("general")
        limitedSensitive = family.series("sensitive")
    }

    func noteFailure(_ upstream: String, _ type: String) {
        upstreamErrors.series(upstream, type).increment()
        logger.log(
            Self.upstreamFailed, "\(upstream) did not answer: \(type)",
            [Attribute(AttributeKey("labels.upstream"), .string(upstream))])
    }

    func noteBreaker(_ upstream: String) { breakerOpen.series(upstream).increment() }
}
