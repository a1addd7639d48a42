internal import Telemetry

/// Telemetry about telemetry: what is emitted, what is lost, what it costs.
struct TelemetryDashboard {
    static let uid = "vitrine-telemetry"
    let declared: DeclaredMetrics

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · telemetry", "Spans, log lines and metrics: emitted, waiting, lost.",
            tags: ["telemetry"], rows: [spans, logs, metrics])
    }

    private var spans: Dashboard.Row {
        let processed = declared.counter("otel_sdk_processor_span_processed_total")
        let exported = declared.counter("otel_sdk_exporter_span_exported_total")
        return Dashboard.Row(
            "Spans",
            [
                .stacked(
                    "started", .operations,
                    [
                        .init(
                            declared.counter("otel_sdk_span_started_total").rate(.panel)
                                .sum(by: "otel_span_sampling_result"), "{{otel_span_sampling_result}}")
                    ]),
                .lines(
                    "exported and lost", .operations,
                    [
                        .init(exported.rate(.panel).sum(by: "error_type"), "exported {{error_type}}"),
                        .init(
                            processed.where("error_type", .something).rate(.panel).sum(by: "error_type"),
                            "dropped {{error_type}}"),
                    ], alert: "SpansDropped"),
                .lines(
                    "waiting", .none,
                    [
                        .init(declared.gauge("otel_sdk_processor_span_queue_size").now.max(by: "job"), "{{job}}"),
                        .init(
                            declared.gauge("otel_sdk_processor_span_queue_capacity").now.max(by: []), "room of a queue"),
                    ]),
                .lines(
                    "requests to the collector, 95th percentile", .seconds,
                    [
                        .init(
                            declared.buckets("otel_sdk_exporter_operation_duration_seconds").rate(.panel)
                                .sum(by: "error_type", "le").quantile(0.95), "{{error_type}}")
                    ], alert: "SpanExportFailing"),
            ])
    }

    private var logs: Dashboard.Row {
        Dashboard.Row(
            "Log lines",
            [
                .stacked(
                    "written", .operations,
                    [.init(declared.counter("telemetry_log_lines_total").rate(.panel).sum(by: "level"), "{{level}}")]),
                .lines(
                    "lost", .operations,
                    [
                        .init(
                            declared.counter("telemetry_log_lines_dropped_total").rate(.panel)
                                .sum(by: "destination", "reason"), "{{destination}} {{reason}}")
                    ], alert: "LogLinesDropped"),
                .lines(
                    "waiting", .bytes,
                    [.init(declared.gauge("telemetry_log_queue_bytes").now.sum(by: "destination"), "{{destination}}")]),
                .lines(
                    "left out", .operations,
                    [
                        .init(
                            declared.counter("telemetry_log_lines_suppressed_total").rate(.panel).sum(by: "level"),
                            "repeated {{level}}"),
                        .init(
                            declared.counter("telemetry_log_details_dropped_total").rate(.panel).sum(by: []),
                            "details without room"),
                    ]),
                .lines(
                    "records exported", .operations,
                    [
                        .init(
                            declared.counter("otel_sdk_exporter_log_exported_total").rate(.panel).sum(by: "error_type"),
                            "records {{error_type}}")
                    ]),
                .lines(
                    "Logstash", .upDown,
                    [.init(declared.gauge("telemetry_logstash_connected").now.min(by: "job"), "{{job}}")],
                    alert: "LogstashDisconnected"),
            ])
    }

    private var metrics: Dashboard.Row {
        Dashboard.Row(
            "Metrics",
            [
                .lines(
                    "duration of scrapes", .seconds,
                    [.init(ExternalMetrics.scrapeDuration.now.max(by: "job"), "{{job}}")], alert: "ScrapeSlow"),
                .stacked(
                    "series by target", .none,
                    [.init(ExternalMetrics.scrapedSamples.now.sum(by: "job"), "{{job}}")]),
                .lines(
                    "misuse", .operations,
                    [
                        .init(
                            declared.counter("telemetry_metric_misuse_total").rate(.panel).sum(by: "job", "reason"),
                            "{{job}} {{reason}}")
                    ], alert: "MetricMisuse"),
                .lines(
                    "alerting itself", .operations,
                    [
                        .init(ExternalMetrics.ruleFailures.rate(.panel).sum(by: "rule_group"), "rules {{rule_group}}"),
                        .init(
                            ExternalMetrics.failedNotifications.rate(.panel).sum(by: "integration"),
                            "not delivered {{integration}}"),
                        .init(ExternalMetrics.droppedNotifications.rate(.panel).sum(by: []), "dropped"),
                    ], alert: "AlertsNotDelivered"),
                .lines(
                    "reading for a scrape, 95th percentile", .seconds,
                    [
                        .init(
                            declared.buckets("otel_sdk_metric_reader_collection_duration_seconds").rate(.panel)
                                .sum(by: "job", "le").quantile(0.95), "{{job}}")
                    ]),
                .lines(
                    "waiting on disk for a collector", .bytes,
                    [
                        .init(
                            declared.gauge("telemetry_export_spool_bytes").now.max(by: "otel_component_name"),
                            "{{otel_component_name}}")
                    ]),
                .lines("series in Prometheus", .none, [.init(ExternalMetrics.headSeries.now.sum(by: []), "series")]),
            ])
    }
}
