/// `promtool` unit tests of alerts, from the scenarios of their conditions: fires above, silent below, silent without
/// traffic and without series. Alerts that look back a day and more have a file of their own, evaluated less often.
struct RuleTests {
    let file: RuleFile

    var files: [RenderedFile] {
        let slow = file.alerts.filter { $0.condition.history.seconds >= Self.slowSeconds }
        let quick = file.alerts.filter { $0.condition.history.seconds < Self.slowSeconds }
        var files = [RenderedFile("alerts/tests/\(file.name).yml", text(quick, interval: "1m"))]
        if !slow.isEmpty {
            files.append(RenderedFile("alerts/tests/\(file.name)-slow.yml", text(slow, interval: "10m")))
        }
        return files
    }

    /// The file of an alert's tests.
    static func name(of alert: AlertRule, in file: RuleFile) -> String {
        alert.condition.history.seconds < slowSeconds ? file.name : file.name + "-slow"
    }

    private static let slowSeconds = 86_400.0
    /// Minutes that a scenario lasts beyond the alert's window and `for`; a multiple of the longest interval.
    private static let spareMinutes = 20

    private func text(_ alerts: [AlertRule], interval: String) -> String {
        let document: Document = [
            "rule_files": [.string("../rules/\(file.name).yml")], "evaluation_interval": .string(interval),
            "group_eval_order": .strings(file.groups.map(\.name)),
            "tests": .array(alerts.flatMap(tests)),
        ]
        return document.yaml(comment: RuleFile.comment)
    }

    private func tests(of alert: AlertRule) -> [Document] {
        alert.condition.scenarios.map { scenario in
            let minutes = Int((alert.condition.history.seconds + alert.hold.seconds) / 60) + Self.spareMinutes
            let series = scenario.series.map { sample -> Document in
                let values = "\(Document.text(of: sample.first))+\(Document.text(of: sample.step))x\(minutes)"
                return ["series": .string(sample.series), "values": .string(values)]
            }
            return .object([
                ("name", .string("\(alert.name): \(scenario.name)")), ("interval", "1m"),
                ("input_series", .array(series)),
                (
                    "promql_expr_test",
                    [
                        .object([
                            ("expr", .string("count(ALERTS{alertname=\"\(alert.name)\",alertstate=\"firing\"})")),
                            ("eval_time", .string("\(minutes)m")),
                            ("exp_samples", scenario.fires ? [["labels": "{}", "value": 1]] : []),
                        ])
                    ]
                ),
            ])
        }
    }
}
