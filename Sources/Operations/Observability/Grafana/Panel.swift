/// One panel of a dashboard.
package struct Panel: Sendable {
    /// A line, or a family of lines.
    package struct Query: Sendable {
        package let expression: PromQL
        /// `{{route}}`: what a line is called.
        let legend: String
        /// Whether exemplars lead from it to traces.
        var hasExemplars = false

        init(_ expression: PromQL, _ legend: String, exemplars: Bool = false) {
            self.expression = expression
            self.legend = legend
            hasExemplars = exemplars
        }
    }

    /// How it is drawn.
    enum Kind: Sendable {
        case lines, stacked, stat, bars
        /// Rows of an instant query.
        case table
        /// Lines of Elasticsearch, by a Lucene query.
        case logs(String)
        /// Traces of Jaeger, of a service, with these tags.
        case traces(service: String, tags: String)
    }

    /// Grafana's names of units.
    enum Unit: String, Sendable {
        case none = "short"
        case seconds = "s"
        case bytes
        case share = "percentunit"
        case perSecond = "reqps"
        case operations = "ops"
        case hundredths = "currencyEUR"
        case upDown = "bool_on_off"
    }

    package let title: String
    let kind: Kind
    let unit: Unit
    package let queries: [Query]
    let width: Int
    let height: Int
    let help: String
    /// Where values turn yellow and red.
    let thresholds: (warn: Double, alarm: Double)?
    /// The alert that watches this, if any: the panel links to its runbook.
    let alert: String?

    private init(
        _ title: String, _ kind: Kind, _ unit: Unit, _ queries: [Query], width: Int, height: Int, help: String,
        thresholds: (warn: Double, alarm: Double)?, alert: String?
    ) {
        self.title = title
        self.kind = kind
        self.unit = unit
        self.queries = queries
        self.width = width
        self.height = height
        self.help = help
        self.thresholds = thresholds
        self.alert = alert
    }

    // MARK: Makers

    static func lines(
        _ title: String, _ unit: Unit, _ queries: [Query], width: Int = 8, help: String = "",
        thresholds: (warn: Double, alarm: Double)? = nil, alert: String? = nil
    ) -> Panel {
        Panel(
            title, .lines, unit, queries, width: width, height: 8, help: help, thresholds: thresholds, alert: alert)
    }

    static func stacked(
        _ title: String, _ unit: Unit, _ queries: [Query], width: Int = 8, help: String = "", alert: String? = nil
    ) -> Panel {
        Panel(title, .stacked, unit, queries, width: width, height: 8, help: help, thresholds: nil, alert: alert)
    }

    static func stat(
        _ title: String, _ unit: Unit, _ query: PromQL, legend: String = "", width: Int = 4, help: String = "",
        thresholds: (warn: Double, alarm: Double)? = nil, alert: String? = nil
    ) -> Panel {
        Panel(
            title, .stat, unit, [Query(query, legend)], width: width, height: 4, help: help, thresholds: thresholds,
            alert: alert)
    }

    static func bars(_ title: String, _ unit: Unit, _ query: Query, width: Int = 8, help: String = "") -> Panel {
        Panel(title, .bars, unit, [query], width: width, height: 8, help: help, thresholds: nil, alert: nil)
    }

    static func table(_ title: String, _ unit: Unit, _ query: PromQL, width: Int = 12, help: String = "") -> Panel {
        Panel(
            title, .table, unit, [Query(query, "")], width: width, height: 8, help: help, thresholds: nil, alert: nil)
    }

    static func logs(_ title: String, _ lucene: String, width: Int = 24) -> Panel {
        Panel(
            title, .logs(lucene), .none, [], width: width, height: 10, help: "Log lines in Elasticsearch.",
            thresholds: nil, alert: nil)
    }

    static func traces(_ title: String, service: String, tags: String, width: Int = 12) -> Panel {
        Panel(
            title, .traces(service: service, tags: tags), .none, [], width: width, height: 8,
            help: "Traces in Jaeger.", thresholds: nil, alert: nil)
    }
}
