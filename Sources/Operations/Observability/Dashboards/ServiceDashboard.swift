internal import Redis
internal import ServiceKit
internal import Telemetry

/// One service: requests by route, resources, its clients, its events and jobs, its own metrics, logs and traces. Rows
/// appear for what the service uses, and a panel for every metric that it declares.
struct ServiceDashboard {
    static let uidPrefix = "vitrine-service-"
    let service: ServiceDefinition
    let declared: DeclaredMetrics
    let levels: ServiceLevelRules

    var dashboard: Dashboard {
        var rows = [now, routes, resources, runtime]
        if service.database != nil { rows.append(database) }
        if service.usesRedis { rows.append(redis) }
        if service.usesBroker { rows += [events] }
        if !service.caches.isEmpty { rows.append(caches) }
        if !service.tasks.isEmpty { rows.append(tasks) }
        rows += [calls, discovery]
        if !service.telemetry.metrics.isEmpty { rows.append(own) }
        rows += [jobs, signals]
        return Dashboard(
            Self.uidPrefix + service.name, "Vitrine · \(service.name)", "\(service.name): \(service.summary).",
            tags: ["service"], rows: rows)
    }

    private var job: Match { .equals(service.name) }

    func mine<Kind>(_ selector: Selector<Kind>) -> Selector<Kind> { selector.where("job", job) }

    // MARK: Requests

    private var requests: Selector<Cumulative> { mine(HTTPTelemetry.requests.series).where("route", .userRoute) }
    private var durations: Selector<Cumulative> { mine(HTTPTelemetry.duration.buckets).where("route", .userRoute) }

    private var now: Dashboard.Row {
        let rate = requests.rate(.panel).sum(by: [])
        let failing = requests.where("status", .serverError).rate(.panel).sum(by: [])
        return Dashboard.Row(
            "Now",
            [
                .stat(
                    "up", .upDown, mine(ExternalMetrics.up).now.min(by: []), thresholds: (1, 0.5), alert: "ServiceDown"),
                .stat("requests", .perSecond, rate),
                .stat("failing", .share, failing.share(of: rate), thresholds: (0.01, 0.05), alert: "HighErrorRate"),
                .stat(
                    "95th percentile", .seconds, durations.rate(.panel).sum(by: "le").quantile(0.95),
                    thresholds: (0.5, 1), alert: "HighLatencyP95"),
                .stat(
                    "99th percentile", .seconds, durations.rate(.panel).sum(by: "le").quantile(0.99),
                    thresholds: (0.5, 1), alert: "HighLatencyP99"),
                .stat(
                    "budget left", .share, levels.budgetLeft.series.where("job", job).now.min(by: "slo"),
                    legend: "{{slo}}", thresholds: (0.5, 0.1), alert: "ErrorBudgetBurn"),
            ])
    }

    private var routes: Dashboard.Row {
        let byRoute = requests.rate(.panel).sum(by: "method", "route")
        let sizes = mine(HTTPTelemetry.responseSize.buckets).where("route", .userRoute)
        return Dashboard.Row(
            "Requests by route",
            [
                .stacked("requests", .perSecond, [.init(byRoute, "{{method}} {{route}}")], width: 12),
                .lines(
                    "share that fails", .share,
                    [
                        .init(
                            requests.where("status", .serverError).rate(.panel).sum(by: "method", "route")
                                .share(of: byRoute),
                            "{{method}} {{route}}")
                    ], width: 12, thresholds: (0.01, 0.05), alert: "HighErrorRate"),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            durations.rate(.panel).sum(by: "method", "route", "le").quantile(0.95),
                            "{{method}} {{route}}", exemplars: true)
                    ], width: 12, help: "Dots are exemplars: each leads to its trace.", thresholds: (0.5, 1),
                    alert: "HighLatencyP95"),
                .stacked(
                    "answers by status", .perSecond, [.init(requests.rate(.panel).sum(by: "status"), "{{status}}")]),
                .lines(
                    "size of answers, 95th percentile", .bytes,
                    [.init(sizes.rate(.panel).sum(by: "route", "le").quantile(0.95), "{{route}}")], width: 4),
            ])
    }

    // MARK: Resources

    private var resources: Dashboard.Row {
        func gauge(_ name: String) -> PromQL { mine(declared.gauge(name)).now.sum(by: "instance") }
        return Dashboard.Row(
            "Resources",
            [
                .lines(
                    "CPU", .none,
                    [
                        .init(
                            mine(declared.counter("process_cpu_seconds_total")).rate(.panel).sum(by: "instance"),
                            "{{instance}}")
                    ],
                    help: "Cores in use; services that share a process all show the same one."),
                .lines(
                    "memory", .bytes,
                    [
                        .init(gauge("process_resident_memory_bytes"), "resident {{instance}}"),
                        .init(gauge("process_memory_limit_bytes"), "limit {{instance}}"),
                    ], alert: "MemoryHigh"),
                .lines(
                    "descriptors", .none,
                    [
                        .init(gauge("process_open_fds"), "open {{instance}}"),
                        .init(gauge("process_max_fds"), "allowed {{instance}}"),
                    ], alert: "DescriptorsHigh"),
                .lines(
                    "requests in flight", .none,
                    [.init(mine(HTTPTelemetry.inFlight.series).now.sum(by: []), "in flight")]),
                .lines(
                    "connections", .none,
                    [.init(mine(HTTPTelemetry.openConnections.series).now.sum(by: []), "open")]),
                .lines(
                    "refused", .perSecond,
                    [
                        .init(mine(HTTPTelemetry.refusedConnections.series).rate(.panel).sum(by: []), "connections"),
                        .init(mine(HTTPTelemetry.refusedRequests.series).rate(.panel).sum(by: []), "requests"),
                    ], alert: "ConnectionsRefused"),
            ])
    }

    private var runtime: Dashboard.Row {
        func pool(_ name: String, _ what: String) -> Panel.Query {
            .init(mine(declared.gauge(name)).now.sum(by: "pool"), "\(what) {{pool}}")
        }
        return Dashboard.Row(
            "Event loops and threads",
            [
                .lines(
                    "lag of the loops, 99th percentile", .seconds,
                    [
                        .init(
                            mine(declared.buckets("event_loop_lag_seconds")).rate(.panel).sum(by: "loop", "le")
                                .quantile(0.99), "loop {{loop}}")
                    ], thresholds: (0.05, 0.1), alert: "EventLoopBlocked"),
                .lines(
                    "jobs in one turn", .none,
                    [.init(mine(declared.gauge("event_loop_queue_depth")).now.max(by: "loop"), "loop {{loop}}")]),
                .lines(
                    "threads", .none,
                    [pool("worker_pool_busy_threads", "busy"), pool("worker_pool_threads", "all")]),
                .lines(
                    "waiting for a thread", .none,
                    [pool("worker_pool_queue_length", "waiting"), pool("worker_pool_queue_capacity", "room")],
                    alert: "WorkerPoolRefusing"),
                .lines(
                    "allocator", .bytes,
                    [
                        .init(mine(declared.gauge("process_heap_bytes")).now.max(by: []), "held"),
                        .init(mine(declared.gauge("process_heap_used_bytes")).now.max(by: []), "used"),
                    ]),
                .lines(
                    "threads that left their core", .operations,
                    [
                        .init(
                            mine(declared.counter("process_context_switches_total")).rate(.panel).sum(by: "type"),
                            "{{type}}")
                    ]),
            ])
    }

    // MARK: Its own

    private var own: Dashboard.Row {
        Dashboard.Row(
            "What only \(service.name) knows",
            service.telemetry.metrics.map { OwnMetricPanel(declaration: $0, job: job, declared: declared).panel })
    }

    private var jobs: Dashboard.Row {
        Dashboard.Row(
            "Jobs",
            [
                .lines(
                    "runs", .operations,
                    [
                        .init(
                            mine(JobTelemetry.runs.series).rate(.panel).sum(by: "exported_job", "outcome"),
                            "{{exported_job}} {{outcome}}")
                    ], alert: "JobFailing"),
                .lines(
                    "since the last success", .seconds,
                    [
                        .init(
                            PromQL.time - (mine(JobTelemetry.lastSuccess.series).now > 0).max(by: "exported_job"),
                            "{{exported_job}}")
                    ], alert: "JobStale"),
                .lines(
                    "duration, 95th percentile", .seconds,
                    [
                        .init(
                            mine(JobTelemetry.duration.buckets).rate(.panel).sum(by: "exported_job", "le").quantile(
                                0.95),
                            "{{exported_job}}", exemplars: true)
                    ]),
            ])
    }

    private var signals: Dashboard.Row {
        Dashboard.Row(
            "Logs and traces",
            [
                .traces("failed", service: service.name, tags: "error=true"),
                .lines(
                    "log lines by level", .operations,
                    [
                        .init(
                            mine(declared.counter("telemetry_log_lines_total")).rate(.panel).sum(by: "level"),
                            "{{level}}")
                    ],
                    width: 12),
                .logs("warnings and errors", "service.name:\(service.name) AND log.level:(warn OR error)"),
            ])
    }
}
