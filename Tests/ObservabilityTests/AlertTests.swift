import LocalStack
import ServiceKit
import Telemetry
import Testing
import Wiring

@testable import Observability

/// Rules, dashboards and routes that can work: against the declarations, and against Prometheus' own tools.
@Suite struct AlertTests {
    private let alerts = AlertCatalog(services: ServiceTable.all)
    private let dashboards = DashboardCatalog(services: ServiceTable.all)

    @Test func nothingRefersToWhatIsNotThere() {
        #expect(PlatformRendering(services: ServiceTable.all).problems == [])
    }

    @Test func aServiceThatLosesAMetricBreaksTheRendering() {
        let services = ServiceTable.all.map { service in
            var service = service
            service.telemetry.metrics.removeAll { $0.name == "checkouts_total" }
            return service
        }
        let rendering = PlatformRendering(services: services)
        #expect(rendering.problems.contains("alert CheckoutFailing: nothing emits or records 'checkouts_total'"))
        #expect(throws: RenderingError.self) { try rendering.files() }
    }

    @Test func everyAlertOfTheSpecificationIsThere() {
        let names = Set(alerts.alerts.map(\.name))
        let demanded: Set<String> = [
            "HighErrorRate", "HighLatencyP95", "HighLatencyP99", "ServiceDown", "MemoryHigh",
            "DatabaseConnectionFailures", "AuthFailuresHigh", "QueueBacklog", "RedisMemoryHigh",
            "ConnectionPoolSaturated", "DatabaseRequestRateHigh", "ErrorBudgetBurnFast", "OutboxStale", "SagaStuck",
            "JobStale", "PaymentContradiction", "StockContradiction", "Watchdog",
        ]
        #expect(demanded.subtracting(names) == [])
    }

    @Test func everyAlertProvesThatItFiresAndThatItKeepsQuiet() {
        for alert in alerts.alerts {
            let scenarios = alert.condition.scenarios
            #expect(scenarios.contains { $0.fires }, "\(alert.name)")
            #expect(scenarios.contains { !$0.fires } || alert.name == "Watchdog", "\(alert.name)")
            #expect(!alert.summary.isEmpty && !alert.impact.isEmpty)
        }
    }

    @Test func budgetsBurnAsTheWorkbookSays() {
        let burns = BurnRate.all(TimeScale())
        // Share of the budget of 30 days that is gone when the long window is full.
        let spent = burns.map { ($0.factor * $0.long.seconds / (ServiceLevel.days * 86_400) * 1_000).rounded() / 1_000 }
        #expect(spent == [0.02, 0.05, 0.1, 0.1])
        #expect(burns.map { $0.long.seconds / $0.short.seconds } == [12, 12, 12, 12])
    }

    @Test func drillsKeepTheExpressionsAndShortenTheWindows() {
        let drill = AlertCatalog(services: ServiceTable.all, time: TimeScale(divisor: 60))
        #expect(drill.problems == [])
        let usual = alerts.alerts.map(\.condition.expression.metrics)
        #expect(drill.alerts.map(\.condition.expression.metrics) == usual)
        for (short, long) in zip(drill.alerts, alerts.alerts) { #expect(short.hold.seconds <= long.hold.seconds) }
    }

    @Test func dashboardsHaveStableDistinctIdentifiers() {
        #expect(
            dashboards.all.prefix(8).map(\.uid) == [
                "vitrine-overview", "vitrine-journey", "vitrine-business", "vitrine-slo", "vitrine-telemetry",
                "vitrine-postgresql", "vitrine-redis", "vitrine-rabbitmq",
            ])
        #expect(Set(dashboards.all.map(\.uid)).count == dashboards.all.count)
        #expect(dashboards.all.count == 8 + ServiceTable.all.count)
        // Grafana takes at most forty characters.
        #expect(dashboards.all.allSatisfy { $0.uid.count <= 40 })
    }

    @Test func everyDeclaredMetricOfAServiceHasAPanel() {
        for service in ServiceTable.all {
            let dashboard = dashboards.all.first { $0.uid == ServiceDashboard.uidPrefix + service.name }
            let shown = Set(dashboard?.panels.flatMap(\.queries).flatMap(\.expression.metrics) ?? [])
            for metric in service.telemetry.metrics { #expect(shown.contains(metric.name), "\(metric.name)") }
        }
    }

    @Test func panelsDoNotOverlap() throws {
        for dashboard in dashboards.all {
            guard case .array(let panels)? = dashboard.document["panels"] else { continue }
            var taken: Set<Int> = []
            for panel in panels {
                func number(_ name: String) throws -> Int {
                    guard case .int(let value)? = panel["gridPos"]?[name] else { throw RenderingError("no \(name)") }
                    return value
                }
                let (x, y, width, height) = (try number("x"), try number("y"), try number("w"), try number("h"))
                #expect(x + width <= 24)
                for row in y..<(y + height) {
                    for column in x..<(x + width) { #expect(taken.insert(row * 24 + column).inserted) }
                }
            }
        }
    }

    @Test func prometheusAndAlertmanagerTakeTheFiles() throws {
        let root = RenderingTests.root
        for (command, path) in [
            (["promtool", "check", "config"], "alerts/prometheus.yml"),
            (["amtool", "check-config"], "alerts/alertmanager.yml"),
        ] {
            let result = try Command.run(command + ["\(root)/\(path)"])
            #expect(result.status == 0, "\(result.output)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func alertsFireAboveAndKeepQuietBelow() throws {
        let root = RenderingTests.root
        // The slow ones look back for days: the lint runs them.
        for file in alerts.files where !file.alerts.isEmpty {
            let result = try Command.run(["promtool", "test", "rules", "\(root)/alerts/tests/\(file.name).yml"])
            #expect(result.status == 0, "\(file.name): \(result.output)")
        }
    }
}
