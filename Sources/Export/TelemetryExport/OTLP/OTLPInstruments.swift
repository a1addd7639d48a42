internal import Telemetry
internal import TelemetrySDK

/// What an exporter tells of itself, by OpenTelemetry's conventions for SDKs: one set for each signal and collector.
struct OTLPInstruments: Sendable {
    static let spans = Counter(
        "otel_sdk_exporter_span_exported_total",
        help: "Spans that a collector took (no error_type), or that were lost on the way.",
        labels: ["error_type"] + SDKComponent.labels)
    static let dataPoints = Counter(
        "otel_sdk_exporter_metric_data_point_exported_total",
        help: "Data points that a collector took (no error_type), or that were lost on the way.",
        labels: ["error_type"] + SDKComponent.labels)
    static let records = Counter(
        "otel_sdk_exporter_log_exported_total",
        help: "Log records that a collector took (no error_type), or that were lost on the way.",
        labels: ["error_type"] + SDKComponent.labels)
    static let spansInFlight = Gauge(
        "otel_sdk_exporter_span_inflight", help: "Spans that are being exported.", labels: SDKComponent.labels)
    static let dataPointsInFlight = Gauge(
        "otel_sdk_exporter_metric_data_point_inflight", help: "Data points that are being exported.",
        labels: SDKComponent.labels)
    static let recordsInFlight = Gauge(
        "otel_sdk_exporter_log_inflight", help: "Log records that are being exported.", labels: SDKComponent.labels)
    static let duration = Histogram(
        "otel_sdk_exporter_operation_duration_seconds", unit: .seconds, help: "Requests to the collectors.",
        labels: ["http_response_status_code", "error_type"] + SDKComponent.labels)
    static let retries = Counter(
        "telemetry_export_retries_total", help: "Requests to the collectors that were sent again, by reason.",
        labels: lossLabels)
    static let spool = Gauge(
        "telemetry_export_spool_bytes", unit: .bytes, help: "Bytes that wait on disk for a collector.",
        labels: [component])
    static let failed = LogEvent(
        "telemetry.export_failed", level: .warn,
        help: "A collector does not take telemetry; logged once until it does again.")
    static let recovered = LogEvent("telemetry.export_recovered", help: "Telemetry reaches the collector again.")
    static let partial = LogEvent(
        "telemetry.export_partial", level: .warn, help: "The collector refused a part of a request for good.")

    private static let component = "otel_component_name"
    private static let lossLabels = ["error_type", component]

    static let declarations = TelemetryDeclarations(
        metrics: [
            spans.declaration, dataPoints.declaration, records.declaration, spansInFlight.declaration,
            dataPointsInFlight.declaration, recordsInFlight.declaration, duration.declaration, retries.declaration,
            spool.declaration,
        ],
        events: [failed, recovered, partial], fields: [.errorType, AttributeKey("error.message")])

    /// The type of the exporter with the number of its collector, from zero.
    private let exporter: SDKComponent
    let inFlight: GaugeSeries
    private let outcomes: CounterFamily
    private let taken: CounterSeries
    private let retryFamily: CounterFamily
    private let durations: HistogramFamily
    private let metrics: MetricRegistry

    init(_ signal: OTLPSignal, number: Int, metrics: MetricRegistry) {
        exporter = SDKComponent(type: signal.componentType, number: number)
        let (name, type) = (exporter.name, exporter.type)
        self.metrics = metrics
        switch signal {
        case .traces:
            outcomes = metrics.counter(Self.spans)
            inFlight = metrics.gauge(Self.spansInFlight).series(name, type)
        case .metrics:
            outcomes = metrics.counter(Self.dataPoints)
            inFlight = metrics.gauge(Self.dataPointsInFlight).series(name, type)
        case .logs:
            outcomes = metrics.counter(Self.records)
            inFlight = metrics.gauge(Self.recordsInFlight).series(name, type)
        }
        taken = outcomes.series("", name, type)
        retryFamily = metrics.counter(Self.retries)
        durations = metrics.histogram(Self.duration)
    }

    /// `otel.component.name`.
    var component: String { exporter.name }

    func exported(_ count: Int) { taken.add(Double(count)) }
    func lost(_ count: Int, _ errorType: String) {
        outcomes.series(errorType, component, exporter.type).add(Double(count))
    }
    func retried(_ errorType: String) { retryFamily.series(errorType, component).increment() }
    func took(seconds: Double, status: String, errorType: String) {
        durations.series(status, errorType, component, exporter.type).record(seconds)
    }

    func observe(spool bytes: @escaping @Sendable () -> Double) {
        metrics.observe(Self.spool, labels: [component], bytes)
    }
}
