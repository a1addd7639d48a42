/// A Grafana dashboard: rows of panels, laid out by themselves on a grid of 24 columns.
package struct Dashboard: Sendable {
    /// Stable: links and alerts lead to it.
    package let uid: String
    package let title: String
    package let description: String
    package let tags: [String]
    package let rows: [Row]
    /// A drop-down at the top, if any.
    package var variables: [Variable] = []

    /// Panels under a heading.
    package struct Row: Sendable {
        package let title: String
        package let panels: [Panel]
        init(_ title: String, _ panels: [Panel]) {
            self.title = title
            self.panels = panels
        }
    }

    /// A choice that queries refer to as `$name`: the values of a label.
    package struct Variable: Sendable {
        package let name: String
        package let label: String
        package let selector: Selector<Level>
    }

    init(
        _ uid: String, _ title: String, _ description: String, tags: [String] = [], variables: [Variable] = [],
        rows: [Row]
    ) {
        self.uid = uid
        self.title = title
        self.description = description
        self.tags = tags
        self.variables = variables
        self.rows = rows
    }

    /// Every panel.
    package var panels: [Panel] { rows.flatMap(\.panels) }

    var file: RenderedFile { RenderedFile("dashboards/grafana/\(uid).json", document.json) }

    private static let columns = 24

    /// The dashboard as Grafana reads it (schema 39).
    var document: Document {
        var panels: [Document] = []
        var y = 0
        var id = 1
        for row in rows {
            panels.append(heading(row, id: id, y: y))
            id += 1
            y += 1
            var x = 0
            var height = 0
            for panel in row.panels {
                if x + panel.width > Self.columns {
                    y += height
                    (x, height) = (0, 0)
                }
                let place: Document = [
                    "h": .int(panel.height), "w": .int(panel.width), "x": .int(x), "y": .int(y),
                ]
                panels.append(panel.document(id: id, place: place))
                id += 1
                x += panel.width
                height = max(height, panel.height)
            }
            y += height
        }
        return [
            "uid": .string(uid), "title": .string(title), "description": .string(description),
            "tags": .strings(["vitrine"] + tags), "schemaVersion": 39, "version": 1, "editable": false,
            "graphTooltip": 1, "timezone": "browser", "refresh": "30s",
            "time": ["from": "now-1h", "to": "now"],
            "templating": ["list": .array(variables.map(document(of:)))],
            "annotations": ["list": [alertAnnotation]], "links": .array(navigation),
            "panels": .array(panels),
        ]
    }

    private func heading(_ row: Row, id: Int, y: Int) -> Document {
        [
            "id": .int(id), "type": "row", "title": .string(row.title), "collapsed": false, "panels": [],
            "gridPos": ["h": 1, "w": .int(Self.columns), "x": 0, "y": .int(y)],
        ]
    }

    private func document(of variable: Variable) -> Document {
        let query = "label_values(\(variable.selector.text), \(variable.label))"
        return [
            "name": .string(variable.name), "label": .string(variable.name), "type": "query",
            "datasource": DataSource.prometheus.reference,
            "query": ["query": .string(query), "refId": .string(variable.name)],
            "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*", "hide": 0,
            "current": ["selected": true, "text": ["All"], "value": ["$__all"]],
        ]
    }

    /// Alerts that fire, as marks in every panel.
    private var alertAnnotation: Document {
        let firing = ExternalMetrics.alerts.where("alertstate", .equals("firing"))
            .where("severity", .any(of: ["page", "ticket"]))
        return [
            "name": "alerts", "enable": true, "hide": false, "iconColor": "red",
            "datasource": DataSource.prometheus.reference, "expr": .string(firing.text),
        ]
    }

    private var navigation: [Document] {
        [
            [
                "title": "dashboards", "type": "dashboards", "tags": ["vitrine"], "asDropdown": true,
                "includeVars": false, "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "",
                "url": "",
            ],
            [
                "title": "runbooks", "type": "link", "url": .string(Links().runbooks + "/README.md"),
                "targetBlank": true, "icon": "doc", "tooltip": "what to do about each alert", "tags": [],
                "asDropdown": false, "includeVars": false, "keepTime": false,
            ],
        ]
    }
}
