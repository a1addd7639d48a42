internal import ServiceKit

/// `alerts/prometheus.yml`: what Prometheus of `docker-compose.monitoring.yml` scrapes, one job a service, so that `job`
/// is the service's name; the rules beside it; where alerts go.
struct PrometheusConfiguration {
    let services: [ServiceDefinition]

    /// Targets that are not services: exporters, and the monitors themselves.
    private static let others: [(job: String, target: String, path: String?)] = [
        ("prometheus", "127.0.0.1:9090", nil), ("alertmanager", "alertmanager:9093", nil),
        ("postgresql", "postgres-exporter:9187", nil), ("redis", "redis-exporter:9121", nil),
        ("rabbitmq", "rabbitmq:15692", "/metrics/per-object"),
    ]

    var file: RenderedFile { RenderedFile("alerts/prometheus.yml", document.yaml(comment: RuleFile.comment)) }

    private var document: Document {
        [
            "global": ["scrape_interval": "15s", "scrape_timeout": "10s", "evaluation_interval": "15s"],
            "rule_files": ["rules/*.yml"],
            "alerting": ["alertmanagers": [["static_configs": [["targets": ["alertmanager:9093"]]]]]],
            "storage": ["tsdb": ["out_of_order_time_window": "10m"]],
            "scrape_configs": .array(
                services.map { scrape($0.name, "\($0.name):\($0.port)", nil) }
                    + Self.others.map { scrape($0.job, $0.target, $0.path) }),
        ]
    }

    private func scrape(_ job: String, _ target: String, _ path: String?) -> Document {
        .object([
            ("job_name", .string(job)), ("metrics_path", path.map(Document.string)),
            ("static_configs", [["targets": [.string(target)]]]),
        ])
    }
}
