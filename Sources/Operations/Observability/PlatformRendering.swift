package import ServiceKit
internal import Telemetry

/// Everything that is rendered for a platform of these services: the one place that lists it.
package struct PlatformRendering: Sendable {
    package let services: [ServiceDefinition]

    /// - Parameter services: in the order of the wiring table.
    package init(services: [ServiceDefinition]) { self.services = services }

    /// Where Alertmanager of `docker-compose.monitoring.yml` posts to.
    private static let webhook = AlertmanagerConfiguration.Webhook(
        url: "http://notifications:8005/alerts/v4", tokenFile: "/run/alertmanager/token")

    /// What is wrong with the declarations and with what refers to them, a sentence each.
    package var problems: [String] {
        let alerts = AlertCatalog(services: services)
        return services.map(\.contract).flatMap(\.problems) + alerts.problems
            + DashboardCatalog(services: services).problems + AlertmanagerConfiguration.problems(alerts.alerts)
    }

    /// Every file, in a stable order.
    /// - Throws: `RenderingError` with all problems.
    package func files() throws -> [RenderedFile] {
        let problems = problems
        guard problems.isEmpty else { throw RenderingError(problems.joined(separator: "\n")) }
        let rules = AlertCatalog(services: services).files
        return [TelemetryDocument(services: services).file]
            + DashboardCatalog(services: services).all.map(\.file)
            + GrafanaProvisioning().files
            + rules.map { RenderedFile("alerts/rules/\($0.name).yml", $0.text(Links())) }
            + rules.flatMap { RuleTests(file: $0).files }
            + [
                RenderedFile("alerts/alertmanager.yml", AlertmanagerConfiguration(webhook: Self.webhook).text),
                PrometheusConfiguration(services: services).file, LogstashPipeline().file, KibanaObjects().file,
            ] + ElasticObjects(services: services).files
            + rules.flatMap { file in
                file.alerts.map { Runbook(alert: $0, rules: RuleTests.name(of: $0, in: file)).file }
            } + [RunbookIndex(files: rules).file]
    }
}
