/// What Grafana finds at its first start: data sources that lead to each other, and the folder of dashboards.
struct GrafanaProvisioning {
    var files: [RenderedFile] {
        [
            RenderedFile(
                "dashboards/provisioning/datasources/vitrine.yml", dataSources.yaml(comment: RuleFile.comment)),
            RenderedFile("dashboards/provisioning/dashboards/vitrine.yml", folder.yaml(comment: RuleFile.comment)),
        ]
    }

    private var dataSources: Document {
        [
            "apiVersion": 1,
            "datasources": [prometheus, jaeger, elasticsearch, alertmanager],
        ]
    }

    private func source(
        _ source: DataSource, _ name: String, url: String, isDefault: Bool = false, _ settings: Document
    ) -> Document {
        [
            "name": .string(name), "uid": .string(source.rawValue), "type": .string(source.rawValue),
            "access": "proxy", "url": .string(url), "isDefault": .bool(isDefault), "editable": false,
            "jsonData": settings,
        ]
    }

    /// An exemplar leads to its trace.
    private var prometheus: Document {
        source(
            .prometheus, "Prometheus", url: "http://prometheus:9090", isDefault: true,
            [
                "httpMethod": "POST", "timeInterval": "15s", "manageAlerts": true, "alertmanagerUid": "alertmanager",
                "exemplarTraceIdDestinations": [["name": "trace_id", "datasourceUid": "jaeger"]],
            ])
    }

    /// A span leads to the log lines of its trace, and to the request rate of its service.
    private var jaeger: Document {
        source(
            .jaeger, "Jaeger", url: "http://jaeger:16686",
            [
                "tracesToLogsV2": [
                    "datasourceUid": "elasticsearch", "customQuery": true,
                    "query": "trace.id:\"${__trace.traceId}\"", "spanStartTimeShift": "-5m", "spanEndTimeShift": "5m",
                ],
                "tracesToMetrics": [
                    "datasourceUid": "prometheus", "tags": [["key": "service.name", "value": "job"]],
                    "queries": [
                        [
                            "name": "requests",
                            "query": "sum by (route) (rate(http_requests_total{$__tags}[5m]))",
                        ]
                    ],
                ],
                "nodeGraph": ["enabled": true],
            ])
    }

    /// A log line leads to its trace.
    private var elasticsearch: Document {
        source(
            .elasticsearch, "Elasticsearch", url: "http://elasticsearch:9200",
            [
                "index": .string(ElasticNames.pattern), "timeField": "@timestamp", "logMessageField": "message",
                "logLevelField": "log.level",
                "dataLinks": [
                    [
                        "field": "trace.id", "datasourceUid": "jaeger", "url": "${__value.raw}",
                        "urlDisplayLabel": "trace",
                    ]
                ],
            ])
    }

    private var alertmanager: Document {
        source(
            .alertmanager, "Alertmanager", url: "http://alertmanager:9093",
            ["implementation": "prometheus", "handleGrafanaManagedAlerts": false])
    }

    private var folder: Document {
        [
            "apiVersion": 1,
            "providers": [
                [
                    "name": "vitrine", "folder": "Vitrine", "type": "file", "disableDeletion": true,
                    "allowUiUpdates": false, "updateIntervalSeconds": 30,
                    "options": ["path": "/var/lib/grafana/dashboards"],
                ]
            ],
        ]
    }
}
