internal import Values

/// What Alertmanager posts: version 4 of its webhook. Fields that are not named here are of newer versions, and left
/// alone.
struct AlertMessage: Decodable, Sendable {
    static let version = "4"

    struct Alert: Decodable, Sendable {
        enum Status: String, Decodable, Sendable { case firing, resolved }

        let status: Status
        let labels: [String: String]
        let annotations: [String: String]
        let startsAt: Timestamp
        /// The year 1 while it fires.
        let endsAt: Timestamp
        let fingerprint: String

        var name: String { labels["alertname"] ?? "" }
        var severity: String { labels["severity"] ?? "" }
        var job: String { labels["job"] ?? "" }
    }

    let version: String
    let groupKey: String
    /// Alerts that Alertmanager left out.
    let truncatedAlerts: Int?
    let alerts: [Alert]

    // MARK: Bounds

    /// Alertmanager is configured to send a hundred at most.
    private static let maxAlerts = 200
    private static let maxGroupKeyBytes = 8_192
    private static let maxLabels = 64
    private static let maxTextBytes = 4_096

    /// What is wrong with it; nil when it can be taken. `("body", what, type)` as validation errors have it.
    var problem: (field: String, message: String)? {
        if version != Self.version { return ("version", "Input should be '\(Self.version)'") }
        if groupKey.isEmpty || groupKey.utf8.count > Self.maxGroupKeyBytes {
            return ("groupKey", "Input should have 1 to \(Self.maxGroupKeyBytes) bytes")
        }
        if alerts.count > Self.maxAlerts { return ("alerts", "Input should have at most \(Self.maxAlerts) alerts") }
        for (index, alert) in alerts.enumerated() {
            if let what = Self.problem(of: alert) { return ("alerts.\(index)", what) }
        }
        return nil
    }

    private static func problem(of alert: Alert) -> String? {
        if alert.name.isEmpty { return "Every alert has a label alertname" }
        if alert.fingerprint.isEmpty { return "Every alert has a fingerprint" }
        for map in [alert.labels, alert.annotations] {
            if map.count > maxLabels { return "An alert has at most \(maxLabels) labels and as many annotations" }
            for text in Array(map.keys) + Array(map.values) + [alert.fingerprint] {
                if text.utf8.count > maxTextBytes {
                    return "Texts of alerts have at most \(maxTextBytes) bytes"
                }
            }
        }
        return nil
    }
}
