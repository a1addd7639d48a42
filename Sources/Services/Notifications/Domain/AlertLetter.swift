internal import Values

/// What the people on call read: one message for what changed together.
struct AlertLetter: Sendable {
    /// At least one.
    let alerts: [AlertMessage.Alert]
    /// Alerts that Alertmanager left out.
    let truncated: Int

    /// For dashboards: nobody is told.
    static let quietSeverity = "info"
    private static let maxSubjectCharacters = 200

    /// `[FIRING 2] HighErrorRate: orders fails more than 5 % of its requests (+1 more)`
    var subject: String {
        let firing = alerts.count { $0.status == .firing }
        let resolved = alerts.count - firing
        var head: [String] = []
        if firing > 0 { head.append("FIRING \(firing)") }
        if resolved > 0 { head.append("RESOLVED \(resolved)") }
        let first = alerts[0]
        let more = alerts.count > 1 ? " (+\(alerts.count - 1) more)" : ""
        let what = first.annotations["summary"].map { ": " + $0 } ?? ""
        let text = "[\(head.joined(separator: ", "))] \(first.name)\(what)"
        return Self.oneLine(text, atMost: Self.maxSubjectCharacters - more.count) + more
    }

    var text: String {
        var text = alerts.map(Self.paragraph).joined(separator: "\n\n")
        if truncated > 0 { text += "\n\nAlertmanager left out \(truncated) more alerts of this group." }
        return text
    }

    private static func paragraph(_ alert: AlertMessage.Alert) -> String {
        let note = alert.annotations
        var lines = ["\(alert.status == .firing ? "FIRING" : "RESOLVED"): \(alert.name) (\(alert.severity))"]
        lines += [note["summary"], note["description"]].compactMap { $0 }.map { oneLine($0, atMost: 1_000) }
        if alert.status == .firing, let value = note["value"] {
            lines.append("Value:     " + oneLine(value, atMost: 100))
        }
        lines.append("Since:     \(alert.startsAt)")
        if alert.status == .resolved { lines.append("Until:     \(alert.endsAt)") }
        let labels = alert.labels.filter { !["alertname", "severity"].contains($0.key) }
            .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        if !labels.isEmpty { lines.append("Labels:    " + oneLine(labels.joined(separator: ", "), atMost: 1_000)) }
        for (title, key) in [
            ("Runbook:   ", "runbook_url"), ("Dashboard: ", "dashboard_url"), ("Traces:    ", "traces_url"),
            ("Logs:      ", "logs_url"),
        ] {
            if let link = note[key] { lines.append(title + oneLine(link, atMost: 2_000)) }
        }
        return lines.joined(separator: "\n")
    }

    /// Without control characters: alerts may repeat what strangers sent.
    private static func oneLine(_ text: String, atMost count: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(max(0, count)) {
            let isControl =
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar == "\u{2028}"
                || scalar == "\u{2029}"
            scalars.append(isControl ? " " : scalar)
        }
        return String(scalars)
    }
}
