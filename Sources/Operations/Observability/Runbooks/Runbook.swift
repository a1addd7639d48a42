/// The runbook of an alert: a head from the rule itself, and below a mark what people know about it.
struct Runbook {
    let alert: AlertRule
    /// The file of rules that holds it.
    let rules: String

    static let mark = "<!-- Below this line the runbook is written by hand; above it, 'vitrine render' writes. -->"

    var file: RenderedFile {
        RenderedFile("docs/runbooks/\(alert.name).md", head, bodyMark: Self.mark, firstBody: firstBody)
    }

    private var head: String {
        let links = Links()
        let hold = alert.hold.seconds > 0 ? "for \(alert.hold.text)" : "at once"
        return """
            # \(alert.name)

            \(Markdown.table(["severity", "team", "criticality", "fires"], [[
                alert.severity.rawValue, alert.team.rawValue, alert.criticality.rawValue, hold,
            ]]))
            **What it says.** \(Self.readable(alert.summary)).

            **What users feel.** \(alert.impact)

            **Where to look.** [dashboard](\(Self.example(links.dashboard(alert.dashboard, namesService: alert.namesService)))) ·
            [failed traces](\(Self.example(links.traces(namesService: alert.namesService)))) ·
            [warnings and errors](\(Self.example(links.logs(namesService: alert.namesService)))) ·
            [Alertmanager](http://localhost:9093/#/alerts?filter=%7Balertname%3D%22\(alert.name)%22%7D).
            Links show `gateway` where the alert names a service: put that one in.

            **The rule.**

            ```promql
            \(alert.condition.expression.text)
            ```

            **Proven by** `alerts/tests/\(rules).yml`: \(Self.proofs(alert)).


            """
    }

    private var firstBody: String {
        """

        ## Look

        ## Do

        ## Over when

        """
    }

    /// The situations of the rule's unit tests.
    private static func proofs(_ alert: AlertRule) -> String {
        func names(_ fires: Bool) -> String {
            alert.condition.scenarios.filter { $0.fires == fires }.map(\.name).joined(separator: ", ")
        }
        let quiet = names(false)
        return "it fires *\(names(true))*" + (quiet.isEmpty ? "" : ", and keeps quiet *\(quiet)*")
    }

    /// A template for people: `{{ $labels.job }}` becomes `<job>`.
    static func readable(_ template: String) -> String {
        var result = ""
        var rest = template[...]
        while let open = rest.firstRange(of: "{{ $labels."), let close = rest[open.upperBound...].firstRange(of: " }}")
        {
            result += rest[..<open.lowerBound] + "`<" + rest[open.upperBound..<close.lowerBound] + ">`"
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// A link that works as it stands.
    private static func example(_ link: String) -> String {
        link.split(separator: "{{ $labels.job }}", omittingEmptySubsequences: false).joined(separator: "gateway")
            .split(separator: " ", omittingEmptySubsequences: false).joined(separator: "%20")
    }
}

/// `docs/runbooks/README.md`: every alert with its runbook, and what people add to it.
struct RunbookIndex {
    let files: [RuleFile]

    static let mark = "<!-- Below this line the file is written by hand; above it, 'vitrine render' writes. -->"

    var file: RenderedFile {
        var text = """
            # Runbooks

            One for each alert. The head of a runbook is rendered from its rule; the rest is written by the people who
            were woken by it. Pages wake somebody; tickets are looked at within the working day; information is for
            dashboards.

            """
        for file in files where !file.alerts.isEmpty {
            text += "\n## \(file.name)\n\n"
            text += Markdown.table(
                ["alert", "severity", "team", "fires", "what it says"],
                file.alerts.map {
                    [
                        "[\($0.name)](\($0.name).md)", $0.severity.rawValue, $0.team.rawValue,
                        $0.hold.seconds > 0 ? "for \($0.hold.text)" : "at once", Runbook.readable($0.summary),
                    ]
                })
        }
        return RenderedFile("docs/runbooks/README.md", text + "\n", bodyMark: Self.mark)
    }
}
