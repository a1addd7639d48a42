internal import AMQP
internal import PostgreSQL
internal import Redis
internal import ServiceKit
internal import Tasks
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
        if !service.tasks.isEmpty { rows.append(tasks) }
        rows.append(calls)
        if !service.telemetry.metrics.isEmpty { rows.append(own) }
        rows += [jobs, signals]
        return Dashboard(
            Self.uidPrefix + service.name, "Vitrine · \(service.name)", "\(service.name): \(service.summary).",
            tags: ["service"], rows: rows)
    }

    private var job: Match { .equals(service.name) }

    private func mine<Kind>(_ selector: Selector<Kind>) -> Selector<Kind> { selector.where("job", job) }

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

    // MARK: Clients

    private var database: Dashboard.Row {
        let queries = mine(PostgreSQLTelemetry.queries.series)
        let used = mine(PostgreSQLTelemetry.connections.series)
        return Dashboard.Row(
            "Database",
            [
                .stacked(
                    "statements", .operations,
                    [.init(queries.rate(.panel).sum(by: "operation", "collection"), "{{operation}} {{collection}}")],
                    alert: "DatabaseRequestRateHigh"),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            mine(PostgreSQLTelemetry.queryDuration.buckets).rate(.panel)
                                .sum(by: "operation", "collection", "le").quantile(0.95),
                            "{{operation}} {{collection}}", exemplars: true)
                    ], alert: "DatabaseSlow"),
                .lines(
                    "statements that fail", .operations,
                    [
                        .init(
                            queries.where("outcome", .equals("error")).rate(.panel).sum(by: "operation", "collection"),
                            "{{operation}} {{collection}}")
                    ], alert: "DatabaseErrors"),
                .lines(
                    "connections", .none,
                    [
                        .init(used.now.sum(by: "state"), "{{state}}"),
                        .init(mine(PostgreSQLTelemetry.maxConnections.series).now.sum(by: []), "allowed"),
                    ], alert: "ConnectionPoolSaturated"),
                .lines(
                    "waiting for a connection", .none,
                    [.init(mine(PostgreSQLTelemetry.pendingRequests.series).now.sum(by: []), "callers")]),
                .lines(
                    "in vain", .operations,
                    [
                        .init(mine(PostgreSQLTelemetry.timeouts.series).rate(.panel).sum(by: []), "pool time-outs"),
                        .init(
                            mine(PostgreSQLTelemetry.failures.series).rate(.panel).sum(by: []), "connections not opened"
                        ),
                    ], alert: "DatabaseConnectionFailures"),
            ])
    }

    private var redis: Dashboard.Row {
        let commands = mine(RedisTelemetry.commands.series)
        return Dashboard.Row(
            "Redis",
            [
                .stacked(
                    "commands", .operations,
                    [.init(commands.rate(.panel).sum(by: "command", "outcome"), "{{command}} {{outcome}}")]),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            mine(RedisTelemetry.duration.buckets).rate(.panel).sum(by: "command", "le").quantile(0.95),
                            "{{command}}", exemplars: true)
                    ]),
                .lines(
                    "connections", .none, [.init(mine(RedisTelemetry.connected.series).now.sum(by: []), "open")],
                    alert: "RedisDisconnected"),
            ])
    }

    private var events: Dashboard.Row {
        let consumed = mine(AMQPTelemetry.consumed.series)
        return Dashboard.Row(
            "Events",
            [
                .stacked(
                    "published", .operations,
                    [.init(mine(MessagingTelemetry.published.series).rate(.panel).sum(by: "type"), "{{type}}")]),
                .stacked(
                    "consumed", .operations,
                    [.init(consumed.rate(.panel).sum(by: "queue", "outcome"), "{{queue}} {{outcome}}")]),
                .lines(
                    "handling, 95th percentile", .seconds,
                    [
                        .init(
                            mine(AMQPTelemetry.processDuration.buckets).rate(.panel).sum(by: "queue", "le").quantile(
                                0.95),
                            "{{queue}}", exemplars: true)
                    ]),
                .lines(
                    "outbox", .none, [.init(mine(MessagingTelemetry.pending.series).now.sum(by: []), "waiting")],
                    width: 6, alert: "OutboxBacklog"),
                .lines(
                    "oldest in the outbox", .seconds,
                    [.init(mine(MessagingTelemetry.oldest.series).now.max(by: []), "age")], width: 6,
                    thresholds: (10, 60), alert: "OutboxStale"),
                .lines(
                    "retried and given up", .operations,
                    [
                        .init(
                            mine(MessagingTelemetry.retries.series).rate(.panel).sum(by: "event"), "retried {{event}}"),
                        .init(
                            mine(MessagingTelemetry.deadLetters.series).rate(.panel).sum(by: "event"),
                            "given up {{event}}"),
                        .init(
                            mine(MessagingTelemetry.duplicates.series).rate(.panel).sum(by: "event"),
                            "duplicate {{event}}"),
                    ], width: 6, alert: "DeadLetters"),
                .lines(
                    "broker", .upDown, [.init(mine(AMQPTelemetry.connected.series).now.min(by: []), "connected")],
                    width: 6, alert: "BrokerDisconnected"),
            ])
    }

    private var tasks: Dashboard.Row {
        func slowest(_ histogram: Histogram) -> PromQL {
            mine(histogram.buckets).rate(.panel).sum(by: "task", "le").quantile(0.95)
        }
        return Dashboard.Row(
            "Tasks",
            [
                .stacked(
                    "enqueued", .operations,
                    [
                        .init(
                            mine(TaskTelemetry.enqueued.series).rate(.panel).sum(by: "task", "outcome"),
                            "{{task}} {{outcome}}")
                    ], width: 6),
                .stacked(
                    "run", .operations,
                    [
                        .init(
                            mine(TaskTelemetry.runs.series).rate(.panel).sum(by: "task", "outcome"),
                            "{{task}} {{outcome}}")
                    ], width: 6),
                .lines(
                    "duration, 95th percentile", .seconds,
                    [.init(slowest(TaskTelemetry.duration), "{{task}}", exemplars: true)], width: 6),
                .lines(
                    "wait, 95th percentile", .seconds,
                    [.init(slowest(TaskTelemetry.waited), "{{task}}", exemplars: true)], width: 6),
                .lines(
                    "queues", .none,
                    [
                        .init(mine(TaskTelemetry.depth.series).now.max(by: "queue"), "{{queue}}"),
                        .init(mine(TaskTelemetry.running.series).now.sum(by: []), "running"),
                    ], width: 6),
                .lines(
                    "oldest", .seconds, [.init(mine(TaskTelemetry.oldest.series).now.max(by: "queue"), "{{queue}}")],
                    width: 6, thresholds: (300, 900), alert: "TasksStale"),
                .lines(
                    "retried, given up, taken over", .operations,
                    [
                        .init(mine(TaskTelemetry.retries.series).rate(.panel).sum(by: "task"), "retried {{task}}"),
                        .init(mine(TaskTelemetry.dead.series).rate(.panel).sum(by: "task"), "given up {{task}}"),
                        .init(mine(TaskTelemetry.reclaimed.series).rate(.panel).sum(by: []), "taken over"),
                    ], width: 6, alert: "TaskDeadLetters"),
                .lines(
                    "leaders", .none, [.init(mine(TaskTelemetry.leader.series).now.sum(by: []), "leaders")], width: 6),
            ])
    }

    private var calls: Dashboard.Row {
        let buckets = mine(declared.buckets("http_client_request_duration_seconds"))
        return Dashboard.Row(
            "Calls to other services",
            [
                .lines(
                    "calls by status", .perSecond,
                    [
                        .init(
                            buckets.where("le", .equals("+Inf")).rate(.panel).sum(
                                by: "server_address", "server_port", "status"),
                            "{{server_address}}:{{server_port}} {{status}}")
                    ], width: 12),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            buckets.rate(.panel).sum(by: "server_address", "server_port", "le").quantile(0.95),
                            "{{server_address}}:{{server_port}}", exemplars: true)
                    ], width: 12),
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
