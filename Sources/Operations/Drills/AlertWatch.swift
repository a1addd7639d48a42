internal import FoundationEssentials
internal import HTTP
internal import HTTPCodec
internal import Synchronization
internal import Telemetry

/// What Alertmanager and notifications know of alerts, asked for twice a second.
final class AlertWatch: Sendable {
    /// A change of an alert as notifications wrote it down.
    struct Row: Decodable, Sendable {
        let lsn: Int64
        let name: String
        let status: String
        let labels: [String: String]

        func matches(_ expected: Drill.Expected) -> Bool {
            name == expected.alert && expected.labels.allSatisfy { labels[$0.key] == $0.value }
        }
    }

    private struct Page: Decodable { let items: [Row] }
    private struct Active: Decodable { let labels: [String: String] }

    private struct State: Sendable {
        var rows: [Row] = []
        var active: [[String: String]] = []
    }

    private let state = Mutex(State())
    private let tools: DrillTools
    private static let pollMilliseconds: UInt64 = 500
    private static let pageSize = 200

    init(_ tools: DrillTools) { self.tools = tools }

    /// Asks until it is cancelled; who does not answer is asked again.
    func run() async {
        while !Task.isCancelled {
            await poll()
            try? await Task.sleep(nanoseconds: Self.pollMilliseconds * 1_000_000)
        }
    }

    private func poll() async {
        let cursor = latest
        if let answer = try? await tools.send(
            .get, "notifications", "/api/v1/alerts?limit=\(Self.pageSize)&cursor=\(cursor)"),
            let page = try? answer.decode(Page.self)
        {
            state.withLock { $0.rows += page.items }
        }
        if let answer = try? await tools.send(
            .get, to: tools.platform.alertmanagerURL, "/api/v2/alerts", headers: []),
            let active = try? answer.decode([Active].self)
        {
            state.withLock { $0.active = active.map(\.labels) }
        }
    }

    /// The number of the newest row.
    var latest: Int64 { state.withLock { $0.rows.last?.lsn ?? 0 } }

    /// Whether Alertmanager has it now.
    func isActive(_ expected: Drill.Expected) -> Bool {
        state.withLock { state in
            state.active.contains { labels in
                labels["alertname"] == expected.alert
                    && expected.labels.allSatisfy { labels[$0.key] == $0.value }
            }
        }
    }

    /// The first row after another that says so.
    func row(_ expected: Drill.Expected, _ status: String, after lsn: Int64) -> Row? {
        state.withLock { state in
            state.rows.first { $0.lsn > lsn && $0.status == status && $0.matches(expected) }
        }
    }
}
