/// Something that a person should know, with everything that the person needs to act on it.
package struct AlertRule: Sendable {
    /// Who is told, and how soon.
    package enum Severity: String, Sendable, CaseIterable {
        /// Somebody is woken.
        case page
        /// Somebody looks within the working day.
        case ticket
        /// For dashboards.
        case info
    }

    /// Who looks after it.
    package enum Team: String, Sendable, CaseIterable { case platform, shop, payments, identity }

    /// How much of the business hangs on it.
    package enum Criticality: String, Sendable, CaseIterable { case critical, high, normal }

    /// How the value is written for people.
    package enum Format: Sendable {
        case percent, seconds, count, bytes, perSecond

        var template: String {
            switch self {
            case .percent: "{{ $value | humanizePercentage }}"
            case .seconds: "{{ $value | humanizeDuration }}"
            case .count: "{{ $value | printf \"%.0f\" }}"
            case .bytes: "{{ $value | humanize1024 }}B"
            case .perSecond: "{{ $value | humanize }}/s"
            }
        }
    }

    /// `HighErrorRate`: the name of the alert, its runbook and its drill.
    package let name: String
    package let severity: Severity
    package let team: Team
    package let criticality: Criticality
    package let condition: Condition
    /// How long it must hold.
    package let hold: Window
    package let format: Format
    /// One line, with `{{ $labels.job }}` where it helps.
    package let summary: String
    /// What users feel, in a sentence.
    package let impact: String
    /// The uid of the dashboard to look at.
    package let dashboard: String

    init(
        _ name: String, _ severity: Severity, _ team: Team, _ criticality: Criticality, when condition: Condition,
        for hold: Window, as format: Format, summary: String, impact: String, dashboard: String
    ) {
        self.name = name
        self.severity = severity
        self.team = team
        self.criticality = criticality
        self.condition = condition
        self.hold = hold
        self.format = format
        self.summary = summary
        self.impact = impact
        self.dashboard = dashboard
    }

    /// Whether the alert tells which service it is about.
    var namesService: Bool { condition.expression.labels.contains("job") }

    func document(_ links: Links) -> Document {
        .object([
            ("alert", .string(name)), ("expr", .string(condition.expression.text)),
            ("for", hold.seconds > 0 ? .string(hold.text) : nil),
            (
                "labels",
                [
                    "severity": .string(severity.rawValue), "team": .string(team.rawValue),
                    "criticality": .string(criticality.rawValue),
                ]
            ),
            (
                "annotations",
                [
                    "summary": .string(summary), "description": .string(impact), "value": .string(format.template),
                    "dashboard_url": .string(links.dashboard(dashboard, namesService: namesService)),
                    "runbook_url": .string(links.runbook(name)),
                    "traces_url": .string(links.traces(namesService: namesService)),
                    "logs_url": .string(links.logs(namesService: namesService)),
                ]
            ),
        ])
    }
}
