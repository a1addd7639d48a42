/// `dashboards/kibana/vitrine.ndjson`: a data view, searches for the questions that people ask of logs, and a dashboard
/// of them; one saved object a line, as Kibana imports them.
struct KibanaObjects {
    var file: RenderedFile {
        RenderedFile("dashboards/kibana/vitrine.ndjson", objects.map { $0.compactJSON + "\n" }.joined())
    }

    private struct Search {
        let id: String
        let title: String
        let help: String
        let query: String
        let columns: [String]
    }

    private struct Chart {
        let id: String
        let title: String
        let query: String
        /// `count`, or the field whose 95th percentile is shown.
        let percentileOf: String?
        let splitBy: String
    }

    private static let searches = [
        Search(
            id: "vitrine-errors", title: "Vitrine · errors and warnings", help: "Everything at WARN and above.",
            query: "log.level:(warn or error)", columns: ["service.name", "event.action", "error.type", "message"]),
        Search(
            id: "vitrine-failed-requests", title: "Vitrine · failed requests", help: "Answers of 500 and above.",
            query: "event.action:\"http.request\" and http.response.status_code >= 500",
            columns: ["service.name", "labels.http_route", "http.response.status_code", "error.type", "trace.id"]),
        Search(
            id: "vitrine-slow-requests", title: "Vitrine · slow requests",
            help: "Answers that took more than a second.",
            query: "event.action:\"http.request\" and event.duration > 1000000000",
            columns: ["service.name", "labels.http_route", "event.duration", "trace.id"]),
        Search(
            id: "vitrine-orders", title: "Vitrine · how orders went",
            help: "Orders, sagas, payments and stock; filter by labels.order_id.",
            query: "event.action:(order.* or saga.* or payment.* or stock.* or cart.checked_out)",
            columns: ["service.name", "event.action", "labels.order_id", "message"]),
        Search(
            id: "vitrine-security", title: "Vitrine · security decisions",
            help: "Log-ins, tokens, roles and refusals.",
            query: "event.action:(auth.* or user.* or access.denied)",
            columns: ["event.action", "event.outcome", "user.id", "labels.actor_id", "message"]),
        Search(
            id: "vitrine-events-lost", title: "Vitrine · messages retried and given up",
            help: "Handlers that failed, dead letters, outboxes that could not publish.",
            query: "event.action:(message.failed or message.dead_lettered or outbox.relay_failed or amqp.*)",
            columns: ["service.name", "event.action", "labels.queue", "labels.subject", "message"]),
    ]

    private static let charts = [
        Chart(
            id: "vitrine-lines-by-level", title: "Vitrine · lines by level", query: "", percentileOf: nil,
            splitBy: "log.level"),
        Chart(
            id: "vitrine-errors-by-service", title: "Vitrine · errors by service", query: "log.level:error",
            percentileOf: nil, splitBy: "service.name"),
        Chart(
            id: "vitrine-duration-by-service", title: "Vitrine · duration of requests, 95th percentile (ns)",
            query: "event.action:\"http.request\"", percentileOf: "event.duration", splitBy: "service.name"),
        Chart(
            id: "vitrine-events", title: "Vitrine · what happens", query: "not event.action:\"http.request\"",
            percentileOf: nil, splitBy: "event.action"),
    ]

    /// Names of the fields that objects refer to.
    static var fields: Set<String> {
        Set(searches.flatMap(\.columns) + charts.flatMap { [$0.splitBy] + ($0.percentileOf.map { [$0] } ?? []) })
    }

    private var objects: [Document] {
        [dataView] + Self.searches.map(search) + Self.charts.map(chart) + [dashboard]
    }

    private var dataView: Document {
        [
            "id": .string(Links.dataView), "type": "index-pattern",
            "attributes": [
                "name": "Vitrine logs", "title": .string(ElasticNames.pattern), "timeFieldName": "@timestamp",
            ], "references": [],
        ]
    }

    private static let sourceReference = "kibanaSavedObjectMeta.searchSourceJSON.index"

    private static var dataViewReference: Document {
        [["id": .string(Links.dataView), "name": .string(sourceReference), "type": "index-pattern"]]
    }

    private static func source(_ query: String) -> Document {
        let source: Document = [
            "query": ["language": "kuery", "query": .string(query)], "filter": [],
            "indexRefName": .string(sourceReference),
        ]
        return ["searchSourceJSON": .string(source.compactJSON)]
    }

    private func search(_ search: Search) -> Document {
        [
            "id": .string(search.id), "type": "search",
            "attributes": [
                "title": .string(search.title), "description": .string(search.help),
                "columns": .strings(search.columns), "sort": [["@timestamp", "desc"]],
                "kibanaSavedObjectMeta": Self.source(search.query),
            ], "references": Self.dataViewReference,
        ]
    }

    private func chart(_ chart: Chart) -> Document {
        let metric: Document =
            chart.percentileOf.map {
                [
                    "id": "1", "enabled": true, "type": "percentiles", "schema": "metric",
                    "params": ["field": .string($0), "percents": [95]],
                ]
            } ?? ["id": "1", "enabled": true, "type": "count", "schema": "metric", "params": [:]]
        let state: Document = [
            "title": .string(chart.title), "type": "line",
            "aggs": [
                metric,
                [
                    "id": "2", "enabled": true, "type": "date_histogram", "schema": "segment",
                    "params": ["field": "@timestamp", "interval": "auto", "min_doc_count": 1],
                ],
                [
                    "id": "3", "enabled": true, "type": "terms", "schema": "group",
                    "params": [
                        "field": .string(chart.splitBy), "size": 15, "order": "desc",
                        "orderBy": .string(chart.percentileOf == nil ? "1" : "_key"),
                    ],
                ],
            ],
            "params": ["type": "line", "addLegend": true, "addTooltip": true, "legendPosition": "right"],
        ]
        return [
            "id": .string(chart.id), "type": "visualization",
            "attributes": [
                "title": .string(chart.title), "description": "", "uiStateJSON": "{}", "version": 1,
                "visState": .string(state.compactJSON), "kibanaSavedObjectMeta": Self.source(chart.query),
            ], "references": Self.dataViewReference,
        ]
    }

    /// Charts side by side, searches below.
    private var dashboard: Document {
        let parts =
            Self.charts.map { (type: "visualization", id: $0.id, width: 24, height: 12) }
            + Self.searches.map { (type: "search", id: $0.id, width: 48, height: 14) }
        var panels: [Document] = []
        var references: [Document] = []
        var (x, y) = (0, 0)
        for (index, part) in parts.enumerated() {
            let name = "panel_\(index)"
            panels.append([
                "type": .string(part.type), "panelIndex": .string("\(index)"), "panelRefName": .string(name),
                "gridData": [
                    "i": .string("\(index)"), "x": .int(x), "y": .int(y), "w": .int(part.width), "h": .int(part.height),
                ], "embeddableConfig": [:],
            ])
            references.append(["id": .string(part.id), "name": .string(name), "type": .string(part.type)])
            x += part.width
            if x >= 48 { (x, y) = (0, y + part.height) }
        }
        return [
            "id": "vitrine-logs-dashboard", "type": "dashboard",
            "attributes": [
                "title": "Vitrine · logs", "description": "What services write, and where it hurts.",
                "panelsJSON": .string(Document.array(panels).compactJSON),
                "optionsJSON": .string((["hidePanelTitles": false, "useMargins": true] as Document).compactJSON),
                "timeRestore": true, "timeFrom": "now-1h", "timeTo": "now", "version": 1,
                "kibanaSavedObjectMeta": [
                    "searchSourceJSON": .string(
                        (["query": ["language": "kuery", "query": ""], "filter": []] as Document).compactJSON)
                ],
            ], "references": .array(references),
        ]
    }
}
