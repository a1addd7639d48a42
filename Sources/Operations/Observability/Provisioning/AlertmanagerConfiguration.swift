/// `alerts/alertmanager.yml`: who hears of which alert, how alerts are put together, and which keep quiet because
/// another one says it better.
package struct AlertmanagerConfiguration: Sendable {
    /// Where alerts are posted to, firing and resolved.
    package struct Webhook: Sendable {
        let url: String
        /// A file with the token that notifications ask for.
        let tokenFile: String

        package init(url: String, tokenFile: String) {
            self.url = url
            self.tokenFile = tokenFile
        }
    }

    /// nil to show alerts only.
    let webhook: Webhook?
    let time: TimeScale
    /// More addresses that the people on call are told at, without a token.
    let others: [String]

    package init(webhook: Webhook?, others: [String] = [], time: TimeScale = TimeScale()) {
        self.webhook = webhook
        self.others = others
        self.time = time
    }

    /// Most alerts of one post; notifications take twice as many.
    private static let maxAlerts: Document = 100

    private static let information = "information"

    /// An alert that makes others superfluous.
    private struct Inhibition {
        let source: String
        let targets: [String]
        /// Labels that must agree.
        let equal: [String]
    }

    private static let inhibitions: [Inhibition] = [
        Inhibition(
            source: "ServiceDown",
            targets: [
                "HighErrorRate", "HighLatencyP95", "HighLatencyP99", "JobStale", "JobFailing", "OutboxStale",
                "BrokerDisconnected", "RedisDisconnected", "DatabaseConnectionFailures",
            ], equal: ["job"]),
        Inhibition(
            source: "PostgreSQLDown",
            targets: [
                "DatabaseConnectionFailures", "DatabasePoolTimeouts", "DatabaseErrors", "HighErrorRate", "JobFailing",
                "JobStale",
            ], equal: []),
        Inhibition(source: "RedisDown", targets: ["RedisDisconnected"], equal: []),
        Inhibition(
            source: "BrokerDisconnected", targets: ["OutboxStale", "OutboxBacklog", "OutboxPublishFailing"],
            equal: ["job"]),
        Inhibition(source: "HighLatencyP95", targets: ["HighLatencyP99"], equal: ["job"]),
        Inhibition(
            source: "ErrorBudgetBurnFast",
            targets: ["ErrorBudgetBurn", "ErrorBudgetBurnSlow", "ErrorBudgetBurnTrickle"], equal: ["job", "slo"]),
        Inhibition(
            source: "ErrorBudgetBurn", targets: ["ErrorBudgetBurnSlow", "ErrorBudgetBurnTrickle"],
            equal: ["job", "slo"]),
    ]

    /// Alerts that are named here and declared nowhere.
    static func problems(_ alerts: [AlertRule]) -> [String] {
        let known = Set(alerts.map(\.name))
        return inhibitions.flatMap { [$0.source] + $0.targets }.filter { !known.contains($0) }.map {
            "alertmanager: there is no alert \($0)"
        }
    }

    /// The file.
    package var text: String { document.yaml(comment: RuleFile.comment) }

    private var document: Document {
        [
            "route": [
                "receiver": "tickets", "group_by": ["alertname", "job"], "group_wait": .string(time.seconds(30).text),
                "group_interval": .string(time.minutes(5).text), "repeat_interval": "12h",
                "routes": [
                    ["receiver": .string(Self.information), "matchers": ["severity=\"info\""]],
                    [
                        "receiver": "pages", "matchers": ["severity=\"page\""],
                        "group_wait": .string(time.seconds(10).text), "repeat_interval": "1h",
                    ],
                ],
            ],
            "inhibit_rules": .array(Self.inhibitions.map(document(of:))),
            "receivers": [receiver(Self.information), receiver("pages"), receiver("tickets")],
        ]
    }

    private func receiver(_ name: String) -> Document {
        .object([("name", .string(name)), ("webhook_configs", webhooks.isEmpty ? nil : .array(webhooks))])
    }

    private var webhooks: [Document] {
        let own = webhook.map { webhook -> Document in
            [
                "url": .string(webhook.url), "send_resolved": true, "max_alerts": Self.maxAlerts,
                "http_config": [
                    "authorization": ["type": "Bearer", "credentials_file": .string(webhook.tokenFile)]
                ],
            ]
        }
        return [own].compactMap { $0 }
            + others.map { ["url": .string($0), "send_resolved": true, "max_alerts": Self.maxAlerts] }
    }

    private func document(of inhibition: Inhibition) -> Document {
        .object([
            ("source_matchers", .strings(["alertname=\"\(inhibition.source)\""])),
            ("target_matchers", .strings(["alertname=~\"\(inhibition.targets.joined(separator: "|"))\""])),
            ("equal", inhibition.equal.isEmpty ? nil : .strings(inhibition.equal)),
        ])
    }
}
