internal import Telemetry

/// Alerts on telemetry itself: what is lost is told, and the absence of alarms means something.
extension AlertCatalog {
    var telemetryAlerts: [AlertRule] { watch + loss }

    private var watch: [AlertRule] {
        [
            AlertRule(
                "Watchdog", .info, .platform, .normal, when: .always, for: time.minutes(0), as: .count,
                summary: "alerts work: this one always fires",
                impact: "None. When it stops arriving, Prometheus, Alertmanager or the way between them is broken.",
                dashboard: TelemetryDashboard.uid),
            AlertRule(
                "RuleEvaluationFailing", .page, .platform, .critical,
                when: .happened(ExternalMetrics.ruleFailures, by: ["job", "rule_group"], over: time.minutes(5)),
                for: time.minutes(5), as: .count, summary: "the rules {{ $labels.rule_group }} cannot be evaluated",
                impact: "Alerts of this group cannot fire: we are blind there.", dashboard: TelemetryDashboard.uid),
            AlertRule(
                "AlertsNotDelivered", .page, .platform, .critical,
                when: .happened(
                    ExternalMetrics.failedNotifications, by: ["job", "integration"], over: time.minutes(5)),
                for: time.minutes(5), as: .count, summary: "Alertmanager cannot deliver to {{ $labels.integration }}",
                impact: "Alerts fire and nobody hears of them this way.", dashboard: TelemetryDashboard.uid),
        ]
    }

    private var loss: [AlertRule] {
        let exported = declared.counter("otel_sdk_exporter_span_exported_total")
        return [
            AlertRule(
                "SpansDropped", .ticket, .platform, .normal,
                when: .happened(
                    declared.counter("otel_sdk_processor_span_processed_total").where("error_type", .something),
                    by: ["job", "instance", "error_type"], over: time.minutes(10)
                ).ofProcess,
                for: time.minutes(5), as: .count,
                summary: "the process of {{ $labels.job }} drops spans: {{ $labels.error_type }}",
                impact: "Traces have holes; users feel nothing.", dashboard: TelemetryDashboard.uid),
            AlertRule(
                "SpanExportFailing", .ticket, .platform, .normal,
                when: .share(
                    of: exported.where("error_type", .something), in: exported, by: ["job", "instance"],
                    above: 0.1, over: time.minutes(10), atLeast: 50
                ).ofProcess,
                for: time.minutes(5), as: .percent, summary: "more than 10 % of spans do not reach the collector",
                impact: "Traces are missing; users feel nothing.", dashboard: TelemetryDashboard.uid),
            AlertRule(
                "LogLinesDropped", .ticket, .platform, .high,
                when: .happened(
                    declared.counter("telemetry_log_lines_dropped_total"),
                    by: ["job", "instance", "destination", "reason"],
                    over: time.minutes(10)
                ).ofProcess,
                for: time.minutes(5), as: .count,
                summary:
                    "the process of {{ $labels.job }} loses log lines to {{ $labels.destination }}: {{ $labels.reason }}",
                impact: "The audit trail and searches have holes; users feel nothing.",
                dashboard: TelemetryDashboard.uid),
            AlertRule(
                "LogstashDisconnected", .ticket, .platform, .normal,
                when: .isZero(declared.gauge("telemetry_logstash_connected"), by: ["job", "instance"]).ofProcess,
                for: time.minutes(5), as: .count,
                summary: "the process of {{ $labels.job }} has no connection to Logstash",
                impact: "New log lines are not found in Kibana; they wait within bounds, then are lost and counted.",
                dashboard: TelemetryDashboard.uid),
            AlertRule(
                "MetricMisuse", .ticket, .platform, .normal,
                when: .happened(
                    declared.counter("telemetry_metric_misuse_total"), by: ["job", "reason"], over: time.minutes(15)),
                for: time.minutes(0), as: .count, summary: "{{ $labels.job }} misuses metrics: {{ $labels.reason }}",
                impact: "A metric is wrong or has too many series; dashboards and alerts on it may be too.",
                dashboard: TelemetryDashboard.uid),
            AlertRule(
                "ScrapeSlow", .ticket, .platform, .normal,
                when: .highest(ExternalMetrics.scrapeDuration, by: ["job", "instance"], above: 5), for: time.minutes(5),
                as: .seconds, summary: "scraping {{ $labels.job }} takes more than 5 seconds",
                impact: "Metrics come late or not at all; alerts on this target may be blind.",
                dashboard: TelemetryDashboard.uid),
        ]
    }
}
