/// Panels as Grafana reads them.
extension Panel {
    func document(id: Int, place: Document) -> Document {
        .object([
            ("id", .int(id)), ("type", .string(type)), ("title", .string(title)),
            ("description", help.isEmpty ? nil : .string(help)), ("datasource", dataSource.reference),
            ("gridPos", place), ("fieldConfig", fieldConfiguration), ("options", options),
            ("targets", .array(targets)), ("links", alert.map { [Self.runbookLink($0)] }),
        ])
    }

    private var type: String {
        switch kind {
        case .lines, .stacked: "timeseries"
        case .stat: "stat"
        case .bars: "bargauge"
        case .table, .traces: "table"
        case .logs: "logs"
        }
    }

    private var dataSource: DataSource {
        switch kind {
        case .logs: .elasticsearch
        case .traces: .jaeger
        default: .prometheus
        }
    }

    private static func runbookLink(_ alert: String) -> Document {
        ["title": "runbook \(alert)", "url": .string(Links().runbook(alert)), "targetBlank": true]
    }

    // MARK: Fields

    private var fieldConfiguration: Document {
        var defaults: [(String, Document?)] = [("unit", .string(unit.rawValue))]
        if unit == .share { defaults += [("min", 0)] }
        defaults.append(("thresholds", thresholdSteps))
        defaults.append(("color", ["mode": .string(thresholdsColour ? "thresholds" : "palette-classic")]))
        switch kind {
        case .lines: defaults.append(("custom", lineStyle(stacking: "none", fill: 8)))
        case .stacked: defaults.append(("custom", lineStyle(stacking: "normal", fill: 40)))
        default: break
        }
        return ["defaults": .object(defaults), "overrides": []]
    }

    private var thresholdsColour: Bool {
        if case .stat = kind { return true }
        return false
    }

    private var thresholdSteps: Document {
        var steps: [Document] = [["color": "green", "value": .null]]
        if let thresholds {
            // A value of which less is worse turns red below.
            if thresholds.warn < thresholds.alarm {
                steps.append(["color": "yellow", "value": .number(thresholds.warn)])
                steps.append(["color": "red", "value": .number(thresholds.alarm)])
            } else {
                steps = [
                    ["color": "red", "value": .null], ["color": "yellow", "value": .number(thresholds.alarm)],
                    ["color": "green", "value": .number(thresholds.warn)],
                ]
            }
        }
        return ["mode": "absolute", "steps": .array(steps)]
    }

    private func lineStyle(stacking: String, fill: Int) -> Document {
        [
            "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": .int(fill),
            "showPoints": "never", "spanNulls": false, "axisSoftMin": 0,
            "stacking": ["mode": .string(stacking), "group": "A"],
            "thresholdsStyle": ["mode": .string(thresholds == nil ? "off" : "line")],
        ]
    }

    // MARK: Options

    private var options: Document {
        switch kind {
        case .lines, .stacked:
            [
                "legend": [
                    "displayMode": "table", "placement": "bottom", "showLegend": true,
                    "calcs": ["lastNotNull", "max"],
                ],
                "tooltip": ["mode": "multi", "sort": "desc"],
            ]
        case .stat:
            [
                "reduceOptions": Self.lastValue, "colorMode": "value", "graphMode": "area", "justifyMode": "auto",
                "orientation": "auto", "textMode": "auto",
            ]
        case .bars:
            [
                "reduceOptions": Self.lastValue, "displayMode": "gradient", "orientation": "horizontal",
                "showUnfilled": true, "minVizHeight": 10, "minVizWidth": 0, "valueMode": "color",
            ]
        case .table, .traces: ["showHeader": true, "cellHeight": "sm"]
        case .logs:
            [
                "showTime": true, "showLabels": false, "showCommonLabels": false, "wrapLogMessage": true,
                "prettifyLogMessage": false, "enableLogDetails": true, "dedupStrategy": "none",
                "sortOrder": "Descending",
            ]
        }
    }

    private static let lastValue: Document = ["calcs": ["lastNotNull"], "fields": "", "values": false]

    // MARK: Queries

    private var targets: [Document] {
        switch kind {
        case .logs(let lucene):
            [
                [
                    "refId": "A", "datasource": DataSource.elasticsearch.reference, "query": .string(lucene),
                    "metrics": [["id": "1", "type": "logs", "settings": ["limit": "200"]]], "bucketAggs": [],
                    "timeField": "@timestamp",
                ]
            ]
        case .traces(let service, let tags):
            [
                [
                    "refId": "A", "datasource": DataSource.jaeger.reference, "queryType": "search",
                    "service": .string(service), "tags": .string(tags), "limit": 20,
                ]
            ]
        default: queries.enumerated().map { document(of: $0.element, index: $0.offset) }
        }
    }

    private func document(of query: Query, index: Int) -> Document {
        let (isInstant, isTable) =
            switch kind {
            case .table: (true, true)
            case .bars: (true, false)
            default: (false, false)
            }
        return [
            "refId": .string(String(UnicodeScalar(UInt8(ascii: "A") + UInt8(index % 26)))),
            "datasource": DataSource.prometheus.reference, "editorMode": "code",
            "expr": .string(query.expression.text), "legendFormat": .string(query.legend),
            "exemplar": .bool(query.hasExemplars), "range": .bool(!isInstant), "instant": .bool(isInstant),
            "format": .string(isTable ? "table" : "time_series"),
        ]
    }
}
