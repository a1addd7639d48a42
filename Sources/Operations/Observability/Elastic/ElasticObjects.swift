internal import ServiceKit

/// What Elasticsearch is told before the first line comes: how lines are mapped, and when they are deleted.
struct ElasticObjects {
    let services: [ServiceDefinition]

    /// More fields than are declared, fewer than hurt.
    private static let maxFields = 400

    var files: [RenderedFile] {
        [
            RenderedFile("dashboards/elastic/ilm-policy.json", policy.json),
            RenderedFile("dashboards/elastic/index-template.json", template.json),
        ]
    }

    /// A new index a day, merged after two, deleted after thirty.
    private var policy: Document {
        [
            "policy": [
                "_meta": ["description": "Log lines of Vitrine. Rendered by 'vitrine render'."],
                "phases": [
                    "hot": [
                        "min_age": "0ms",
                        "actions": [
                            "rollover": ["max_age": "1d", "max_primary_shard_size": "10gb"],
                            "set_priority": ["priority": 100],
                        ],
                    ],
                    "warm": [
                        "min_age": "2d",
                        "actions": ["forcemerge": ["max_num_segments": 1], "set_priority": ["priority": 50]],
                    ],
                    "delete": ["min_age": "30d", "actions": ["delete": [:]]],
                ],
            ]
        ]
    }

    private var template: Document {
        [
            "index_patterns": [.string(ElasticNames.pattern), .string("logs-\(ElasticNames.unparsed)-*")],
            "data_stream": [:], "priority": 500,
            "_meta": ["description": "Log lines of Vitrine in ECS names. Rendered by 'vitrine render'."],
            "template": [
                "settings": [
                    "index": [
                        "number_of_shards": 1, "number_of_replicas": 0, "codec": "best_compression",
                        "lifecycle": ["name": .string(ElasticNames.policy)],
                        "mapping": ["total_fields": ["limit": .int(Self.maxFields)]],
                        "query": ["default_field": ["message", "error.message"]],
                    ]
                ],
                "mappings": [
                    "dynamic": false, "date_detection": false, "numeric_detection": false,
                    "properties": LogMapping(services: services).properties,
                ],
            ],
        ]
    }
}
