internal import ServiceKit
internal import Telemetry

/// The whole platform on one page: who is up, how much is asked, how much fails, how long it takes, what fires.
struct OverviewDashboard {
    static let uid = "vitrine-overview"
    let services: [ServiceDefinition]
    let levels: ServiceLevelRules

    private let requests = HTTPTelemetry.requests.series.where("route", .userRoute).where("job", .variable("service"))
    private let durations = HTTPTelemetry.duration.buckets.where("route", .userRoute)
        .where("job", .variable("service"))

    init(services: [ServiceDefinition], levels: ServiceLevelRules) {
        self.services = services
        self.levels = levels
    }

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · overview", "Every service at a glance: up, rate, errors, duration, budgets, alerts.",
            tags: ["overview"],
            variables: [.init(name: "service", label: "job", selector: HTTPTelemetry.inFlight.series)],
            rows: [now, red, alerts])
    }

    private var failing: PromQL { requests.where("status", .serverError).rate(.panel) }

    private var now: Dashboard.Row {
        let up = ExternalMetrics.up.where("job", .any(of: services.map(\.name)))
        let all = requests.rate(.panel).sum(by: [])
        return Dashboard.Row(
            "Now",
            [
                .stat(
                    "services up", .none, up.now.sum(by: []),
                    thresholds: (Double(services.count), Double(services.count) - 0.5), alert: "ServiceDown"),
                .stat("requests", .perSecond, all),
                .stat(
                    "failing", .share, failing.sum(by: []).share(of: all), thresholds: (0.01, 0.05),
                    alert: "HighErrorRate"),
                .stat(
                    "95th percentile", .seconds, durations.rate(.panel).sum(by: "le").quantile(0.95),
                    thresholds: (0.5, 1), alert: "HighLatencyP95"),
                .stat(
                    "worst budget left", .share, levels.budgetLeft.series.now.min(by: []), thresholds: (0.5, 0.1),
                    alert: "ErrorBudgetBurn"),
                .stat(
                    "alerts firing", .none,
                    ExternalMetrics.alerts.where("alertstate", .equals("firing")).where("severity", .not("info")).now
                        .count(by: []), help: "Nothing shown: nothing fires.", thresholds: (1, 2)),
            ])
    }

    private var red: Dashboard.Row {
        let up = ExternalMetrics.up.where("job", .variable("service"))
        return Dashboard.Row(
            "Rate, errors, duration",
            [
                .stacked("requests by service", .perSecond, [.init(requests.rate(.panel).sum(by: "job"), "{{job}}")]),
                .lines(
                    "share that fails", .share,
                    [.init(failing.sum(by: "job").share(of: requests.rate(.panel).sum(by: "job")), "{{job}}")],
                    thresholds: (0.01, 0.05), alert: "HighErrorRate"),
                .lines(
                    "95th percentile", .seconds,
                    [.init(durations.rate(.panel).sum(by: "job", "le").quantile(0.95), "{{job}}", exemplars: true)],
                    thresholds: (0.5, 1), alert: "HighLatencyP95"),
                .lines("up", .upDown, [.init(up.now.min(by: "job"), "{{job}}")], alert: "ServiceDown"),
                .lines(
                    "in flight", .none,
                    [
                        .init(
                            HTTPTelemetry.inFlight.series.where("job", .variable("service")).now.sum(by: "job"),
                            "{{job}}")
                    ]),
                .lines(
                    "99th percentile", .seconds,
                    [.init(durations.rate(.panel).sum(by: "job", "le").quantile(0.99), "{{job}}", exemplars: true)],
                    thresholds: (0.5, 1), alert: "HighLatencyP99"),
            ])
    }

    private var alerts: Dashboard.Row {
        let firing = ExternalMetrics.alerts.where("alertstate", .equals("firing")).where("severity", .not("info"))
        return Dashboard.Row(
            "What is wrong",
            [
                .table(
                    "firing alerts", .none, firing.now.max(by: "alertname", "severity", "job"),
                    help: "Each has a runbook of its name."),
                .traces("failed requests at the gateway", service: "gateway", tags: "error=true"),
                .logs("warnings and errors", "log.level:(warn OR error)"),
            ])
    }
}
