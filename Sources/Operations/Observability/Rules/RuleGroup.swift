/// Rules that are evaluated together, one after the other.
package struct RuleGroup: Sendable {
    package let name: String
    /// How often; nil for the server's own interval.
    package let interval: Window?
    package let recordings: [RecordingRule]
    package let alerts: [AlertRule]

    init(_ name: String, interval: Window? = nil, recordings: [RecordingRule] = [], alerts: [AlertRule] = []) {
        self.name = name
        self.interval = interval
        self.recordings = recordings
        self.alerts = alerts
    }

    func document(_ links: Links) -> Document {
        .object([
            ("name", .string(name)), ("interval", interval.map { .string($0.text) }),
            ("rules", .array(recordings.map(\.document) + alerts.map { $0.document(links) })),
        ])
    }
}

/// A file of rules, with the `promtool` unit tests of its alerts.
package struct RuleFile: Sendable {
    /// `services`: the file is `alerts/rules/services.yml`, its tests `alerts/tests/services.yml`.
    package let name: String
    package let groups: [RuleGroup]

    package var alerts: [AlertRule] { groups.flatMap(\.alerts) }
    package var recordings: [RecordingRule] { groups.flatMap(\.recordings) }

    init(_ name: String, _ groups: [RuleGroup]) {
        self.name = name
        self.groups = groups
    }

    static let comment = "Rendered by 'vitrine render' from Sources/Operations/Observability: do not edit."

    /// The rules as Prometheus reads them.
    package func text(_ links: Links) -> String {
        let document: Document = ["groups": .array(groups.map { $0.document(links) })]
        return document.yaml(comment: Self.comment)
    }
}
