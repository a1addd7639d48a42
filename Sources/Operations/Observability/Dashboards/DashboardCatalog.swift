package import ServiceKit

/// Every dashboard of the platform.
package struct DashboardCatalog: Sendable {
    let services: [ServiceDefinition]
    let alerts: AlertCatalog

    package init(services: [ServiceDefinition]) {
        self.services = services
        alerts = AlertCatalog(services: services)
    }

    /// In the order in which a person looks at them.
    package var all: [Dashboard] {
        [
            OverviewDashboard(services: services, levels: alerts.levels).dashboard, JourneyDashboard().dashboard,
            BusinessDashboard().dashboard, SLODashboard(levels: alerts.levels).dashboard,
            TelemetryDashboard(declared: alerts.declared).dashboard, PostgreSQLDashboard().dashboard,
            RedisDashboard().dashboard, RabbitMQDashboard().dashboard,
        ] + services.map { ServiceDashboard(service: $0, declared: alerts.declared, levels: alerts.levels).dashboard }
    }

    /// What is wrong with the dashboards, a sentence each.
    package var problems: [String] {
        let recorded = alerts.recorded
        let known = Set(alerts.alerts.map(\.name))
        var problems: [String] = []
        for dashboard in all {
            for panel in dashboard.panels {
                let place = "dashboard \(dashboard.uid), panel '\(panel.title)'"
                for query in panel.queries {
                    problems += alerts.declared.problems(of: query.expression, recorded: recorded).map {
                        "\(place): \($0)"
                    }
                }
                if let alert = panel.alert, !known.contains(alert) {
                    problems.append("\(place): there is no alert \(alert)")
                }
            }
        }
        let uids = Set(all.map(\.uid))
        for alert in alerts.alerts
        where !uids.contains(alert.dashboard) && alert.dashboard != ServiceDashboard.uidPrefix {
            problems.append("alert \(alert.name): there is no dashboard \(alert.dashboard)")
        }
        return problems
    }
}
