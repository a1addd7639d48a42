package import Telemetry

/// What the Consul client tells: each request by what it is for, and how its watches do. Requests have the HTTP client's
/// spans; blocking queries have none, because how long they wait says nothing and nobody's trace is made longer by them.
package struct ConsulTelemetry: Sendable {
    package static let requests = Counter(
        "consul_requests_total", help: "Requests to Consul, blocking queries among them.",
        labels: ["operation", "outcome"])
    package static let duration = Histogram(
        "consul_request_duration_seconds", unit: .seconds,
        help: "Duration of requests to Consul; blocking queries are left out.", labels: ["operation"])
    package static let updates = Counter(
        "consul_watch_updates_total", help: "Changes that a watch has told of, the first answer included.",
        labels: ["watch"])
    package static let failures = Counter(
        "consul_watch_failures_total", help: "Questions of a watch that Consul did not answer.",
        labels: ["watch", "error_type"])
    package static let lastContact = Gauge(
        "consul_watch_last_contact_timestamp_seconds", unit: .seconds,
        help: "When Consul last answered a watch, in seconds since 1970: what is known is at most so old.",
        labels: ["watch"])

    package static let watchLost = LogEvent(
        "consul.watch_lost", level: .warn, help: "Consul does not answer a watch: what was known last stays.")
    package static let watchRestored = LogEvent("consul.watch_restored", help: "Consul answers a watch again.")

    private static let watchLabel = AttributeKey("labels.watch")
    private static let errorMessage = AttributeKey("error.message")

    /// Every name that the client emits; its spans are the HTTP client's.
    package static let declarations = TelemetryDeclarations(
        metrics: [
            requests.declaration, duration.declaration, updates.declaration, failures.declaration,
            lastContact.declaration,
        ],
        events: [watchLost, watchRestored], fields: [watchLabel, .errorType, errorMessage])

    private let requests: CounterFamily
    private let durations: HistogramFamily
    private let updates: CounterFamily
    private let failures: CounterFamily
    private let contacts: GaugeFamily
    private let logger: Logger

    init(_ logger: Logger, _ metrics: MetricRegistry) {
        self.logger = logger.named("consul")
        requests = metrics.counter(Self.requests)
        durations = metrics.histogram(Self.duration)
        updates = metrics.counter(Self.updates)
        failures = metrics.counter(Self.failures)
        contacts = metrics.gauge(Self.lastContact)
    }

    /// Counts one request, and measures it unless it waits on purpose.
    func observe<T>(_ operation: String, isWaiting: Bool, _ body: () async throws -> T) async throws -> T {
        let start = TelemetryClock.system.monotonicNanoseconds()
        do {
            let value = try await body()
            requests.series(operation, "success").increment()
            if !isWaiting { measure(operation, since: start) }
            return value
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            requests.series(operation, "error").increment()
            if !isWaiting { measure(operation, since: start) }
            throw error
        }
    }

    private func measure(_ operation: String, since start: UInt64) {
        durations.series(operation).record(
            Double(TelemetryClock.system.monotonicNanoseconds() &- start) / 1e9,
            exemplar: TelemetryContext.current.span)
    }

    // MARK: Watches

    func noteContact(_ watch: String) {
        contacts.series(watch).set(Double(TelemetryClock.system.wallNanoseconds()) / 1e9)
    }

    func noteUpdate(_ watch: String) { updates.series(watch).increment() }

    func noteFailure(_ watch: String, _ error: ConsulError) { failures.series(watch, error.errorType).increment() }

    func noteLost(_ watch: String, _ error: ConsulError) {
        logger.log(
            Self.watchLost, "\(watch) is not watched for now: \(error.errorType)",
            [
                Attribute(Self.watchLabel, .string(watch)), Attribute(.errorType, .string(error.errorType)),
                Attribute(Self.errorMessage, .string("\(error)")),
            ])
    }

    func noteRestored(_ watch: String) {
        logger.log(Self.watchRestored, "\(watch) is watched again", [Attribute(Self.watchLabel, .string(watch))])
    }
}
