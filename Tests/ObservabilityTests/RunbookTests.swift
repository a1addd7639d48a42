import FoundationEssentials
import ServiceKit
import Testing
import Wiring

@testable import Observability

/// Runbooks that help: what the user feels, where to look with links that lead somewhere, what to do, and when it is over.
@Suite struct RunbookTests {
    private let alerts = AlertCatalog(services: ServiceTable.all).alerts
    private let dashboards = Set(DashboardCatalog(services: ServiceTable.all).all.map(\.uid))

    private func runbook(_ name: String) throws -> String {
        try String(contentsOf: URL(filePath: "\(RenderingTests.root)/docs/runbooks/\(name).md"), encoding: .utf8)
    }

    /// What stands between a heading and the next.
    private func section(_ heading: String, of text: String) -> String {
        guard let start = text.firstRange(of: "\n## \(heading)\n") else { return "" }
        let rest = text[start.upperBound...]
        return String(rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)])
    }

    @Test func everyRunbookSaysWhatIsFeltWhatToDoAndWhenItIsOver() throws {
        for alert in alerts {
            let text = try runbook(alert.name)
            #expect(text.contains("**What users feel.** \(alert.impact)"), "\(alert.name)")
            for heading in ["Look", "Do", "Over when"] {
                let words = section(heading, of: text).split(whereSeparator: \.isWhitespace)
                #expect(words.count >= 5, "\(alert.name): '\(heading)' says too little")
            }
        }
    }

    @Test func linksOfAlertsAndRunbooksLeadToWhatIsThere() throws {
        let links = Links()
        for alert in alerts {
            let dashboard = links.dashboard(alert.dashboard, namesService: alert.namesService)
            let uid = dashboard.dropFirst("\(links.grafana)/d/".count)
            // One of each service, where the alert names one.
            let uids =
                uid.contains("{{") ? ServiceTable.all.map { ServiceDashboard.uidPrefix + $0.name } : [String(uid)]
            for uid in uids { #expect(dashboards.contains(uid), "\(alert.name): there is no dashboard \(uid)") }

            let text = try runbook(alert.name)
            for part in text.split(separator: "](").dropFirst() {
                let target = String(part.prefix { $0 != ")" && $0 != " " })
                if target.hasPrefix("http") {
                    // Kibana's addresses have parentheses within.
                    #expect(URL(string: target) != nil, "\(alert.name): \(target)")
                    #expect(!target.contains("{{") && !target.contains("$labels"), "\(alert.name): \(target)")
                } else {
                    let path = "\(RenderingTests.root)/docs/runbooks/" + target.prefix { $0 != "#" }
                    #expect(FileManager.default.fileExists(atPath: path), "\(alert.name): \(target)")
                }
            }
        }
    }

    @Test func alertsThatRunbooksNameAreThere() throws {
        let names = Set(alerts.map(\.name))
        let index = try runbook("README")
        for name in names { #expect(index.contains("[\(name)](\(name).md)"), "\(name)") }
    }
}
