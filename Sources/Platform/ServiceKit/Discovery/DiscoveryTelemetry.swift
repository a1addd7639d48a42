package import Telemetry

/// What a process tells of where it finds others, and a service of how it is found. Without Consul there is none of it.
package struct DiscoveryTelemetry: Sendable {
    package static let instances = Gauge(
        "discovery_instances",
        help: "Addresses that requests to a service are spread over, by where they are known from.",
        labels: ["upstream", "source"])
    package static let setAside = Counter(
        "discovery_set_aside_total",
        help: "Times that an instance was left out for a while, because it did not answer and others were there.",
        labels: ["upstream"])
    package static let registered = Gauge(
        "discovery_registered", help: "1 while Consul knows this instance, as far as was heard.")

    package static let joined = LogEvent("discovery.registered", help: "The instance is registered with Consul.")
    package static let left = LogEvent(
        "discovery.deregistered", help: "The instance is no longer registered: requests go elsewhere.")
    package static let registrationFailed = LogEvent(
        "discovery.registration_failed", level: .warn,
        help: "Consul did not take the registration; it is tried again until it does. The service works all the same.")
    package static let changed = LogEvent("discovery.changed", help: "A service has other instances than before.")
    package static let settingsRefused = LogEvent(
        "discovery.settings_refused", level: .warn,
        help: "Settings in Consul's store are not valid; those from before stay.")

    static let upstreamLabel = AttributeKey("labels.upstream")
    static let errorMessage = AttributeKey("error.message")

    /// Where addresses are known from.
    enum Source: String, CaseIterable, Sendable {
        /// Consul told them.
        case consul
        /// Settings and default ports.
        case fixed = "static"
    }

    /// Every name that discovery emits.
    package static let declarations = TelemetryDeclarations(
        metrics: [instances.declaration, setAside.declaration, registered.declaration],
        events: [joined, left, registrationFailed, changed, settingsRefused],
        fields: [upstreamLabel, .errorType, errorMessage])

    private let logger: Logger
    private let instances: GaugeFamily
    private let setAside: CounterFamily

    /// - Parameter metrics: those of the process: all of its services find the others in the same place.
    init(_ logger: Logger, _ metrics: MetricRegistry) {
        self.logger = logger.named("discovery")
        instances = metrics.gauge(Self.instances)
        setAside = metrics.counter(Self.setAside)
    }

    func setAsideCounter(_ upstream: String) -> CounterSeries { setAside.series(upstream) }

    func show(_ upstream: String, _ source: Source, count: Int) {
        for other in Source.allCases {
            instances.series(upstream, other.rawValue).set(other == source ? Double(count) : 0)
        }
    }

    func noteChange(_ upstream: String, count: Int) {
        logger.log(
            Self.changed, "\(upstream) has \(count) healthy instance\(count == 1 ? "" : "s")",
            [Attribute(Self.upstreamLabel, .string(upstream))])
    }
}
