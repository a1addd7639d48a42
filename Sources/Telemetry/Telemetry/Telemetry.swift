/// The telemetry of one service: its metrics, its tracer, its log. Made by the SDK, passed down, never global, so
/// that eighteen services share a process without mixing their series and tests run side by side.
package final class Telemetry: Sendable {
    /// The `service.name` of everything emitted.
    package let serviceName: String
    package let metrics: MetricRegistry
    package let tracer: Tracer
    package let logger: Logger

    static let metricMisuse = LogEvent(
        "telemetry.metric_misuse", level: .warn,
        help: "A call of the metrics API was ignored; logged once for each metric and reason.")

    /// - Parameters:
    ///   - spanSink: nil when nobody exports: contexts are still made, sampled and propagated.
    ///   - logSink: nil to write no log.
    ///   - logRecordSink: takes the same records as the log, before they are text.
    ///   - logDetails: lines below the level that are kept for each request, to be written when it fails or is slow.
    package init(
        resource: ServiceResource, sampler: Sampler = .parentBased(root: .alwaysOn), spanSink: (any SpanSink)?,
        logSink: (any LogSink)?, logLevel: LogLevelControl = LogLevelControl(), clock: TelemetryClock = .system,
        spanLimits: SpanLimits = SpanLimits(), metrics: MetricRegistry = MetricRegistry(),
        logRecordSink: (any LogRecordSink)? = nil, logDetails: LogDetailsPolicy = .off
    ) {
        serviceName = resource.name
        self.metrics = metrics
        tracer = Tracer(
            resource: resource, sampler: sampler, sink: spanSink, clock: clock, limits: spanLimits,
            metrics: metrics)
        let shared = LoggerShared(
            serviceName: resource.name, sink: logSink, records: logRecordSink, levels: logLevel, clock: clock,
            metrics: metrics, details: logDetails)
        let logger = Logger(core: LoggerCore(shared, name: resource.name))
        self.logger = logger
        let misuseLogger = logger.named("telemetry")
        metrics.problems.listen { reason, metric in
            misuseLogger.log(
                Self.metricMisuse, "metric \(metric) is misused: \(reason.rawValue)",
                [Attribute(.metricName, .string(metric)), Attribute(.metricMisuse, .string(reason.rawValue))])
        }
    }

    /// Telemetry that records nothing: for exporters themselves, and for code under test that does not care.
    package static func disabled() -> Telemetry {
        Telemetry(
            resource: ServiceResource(name: "disabled"), sampler: .passThrough, spanSink: nil, logSink: nil)
    }
}

extension AttributeKey {
    static let metricName = AttributeKey("labels.metric")
    static let metricMisuse = AttributeKey("labels.reason")
}
