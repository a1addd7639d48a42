import Drills
import LocalStack
import Observability
import ServiceKit
import Testing
import Wiring

/// Drills: there is one for every alert, and some of them on the real Prometheus and Alertmanager. All of them are run
/// by `vitrine drill all`, which takes minutes.
@Suite(.serialized) struct DrillTests {
    @Test func everyAlertHasADrill() {
        let alerts = AlertCatalog(services: ServiceTable.all).alerts.map(\.name)
        let drilled = DrillCatalog.all.flatMap(\.alerts)
        #expect(Set(alerts).subtracting(drilled) == [])
        #expect(Set(drilled).subtracting(alerts) == [])
        #expect(drilled.count == Set(drilled).count)
    }

    @Test func whatHasNoDrillIsNamed() {
        #expect(throws: DrillError.self) { try DrillCatalog.drills(for: ["NoSuchAlert"]) }
    }

    @Test(.timeLimit(.minutes(12)))
    func alertsFireArriveAndEnd() async throws {
        try await withFolder { folder in
            let alerts = ["HighErrorRate", "RefreshTokenReuse", "InvariantViolated"]
            let result = try Command.run(
                [Package.executable, "drill"] + alerts + ["--folder", folder + "/drill"], folder: folder,
                timeoutMilliseconds: 700_000)
            #expect(result.status == 0, "\(result.output.suffix(4_000))")
            for alert in alerts {
                for words in ["fires", "is over"] { #expect(result.output.contains("\(alert) \(words)"), "\(alert)") }
            }
            #expect(result.output.contains("3 of 3 alerts fired, arrived and ended"))
        }
    }
}
