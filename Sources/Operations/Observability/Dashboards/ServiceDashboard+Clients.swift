internal import AMQP
internal import Caching
internal import HTTP
internal import PostgreSQL
internal import Redis
internal import ServiceKit
internal import Tasks
internal import Telemetry

/// The rows of what a service calls: its database, Redis, the broker, its tasks, other services.
extension ServiceDashboard {
    var database: Dashboard.Row {
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
                        .init(used.now.sum(by: "db_client_connection_state"), "{{db_client_connection_state}}"),
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

    var redis: Dashboard.Row {
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

    var caches: Dashboard.Row {
        let requests = mine(CacheTelemetry.requests.series)
        return Dashboard.Row(
            "Caches",
            [
                .stacked(
                    "values, by where they came from", .operations,
                    [.init(requests.rate(.panel).sum(by: "cache", "outcome"), "{{cache}} {{outcome}}")], width: 6),
                .lines(
                    "share that was there", .share,
                    [
                        .init(
                            requests.where("outcome", .equals("hit")).rate(.panel).sum(by: "cache")
                                .share(of: requests.rate(.panel).sum(by: "cache")),
                            "{{cache}}")
                    ], width: 6),
                .stacked(
                    "kept, or why not", .operations,
                    [
                        .init(
                            mine(CacheTelemetry.stores.series).rate(.panel).sum(by: "cache", "outcome"),
                            "{{cache}} {{outcome}}")
                    ], width: 6),
                .lines(
                    "made outdated", .operations,
                    [
                        .init(
                            mine(CacheTelemetry.invalidations.series).rate(.panel).sum(by: "cache", "outcome"),
                            "changes of {{cache}} {{outcome}}"),
                        .init(
                            mine(CacheTelemetry.invalidated.series).rate(.panel).sum(by: "cache"),
                            "entries of {{cache}}"),
                    ], width: 6),
            ])
    }

    /// The label of queues on the metrics of messages.
    private static let queue = "messaging_destination_name"

    var events: Dashboard.Row {
        let consumed = mine(AMQPTelemetry.consumed.series)
        return Dashboard.Row(
            "Events",
            [
                .stacked(
                    "published", .operations,
                    [.init(mine(MessagingTelemetry.published.series).rate(.panel).sum(by: "type"), "{{type}}")]),
                .stacked(
                    "consumed", .operations,
                    [.init(consumed.rate(.panel).sum(by: Self.queue, "outcome"), "{{\(Self.queue)}} {{outcome}}")]),
                .lines(
                    "handling, 95th percentile", .seconds,
                    [
                        .init(
                            mine(AMQPTelemetry.processDuration.buckets).rate(.panel).sum(by: Self.queue, "le")
                                .quantile(0.95),
                            "{{\(Self.queue)}}", exemplars: true)
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

    var tasks: Dashboard.Row {
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

    var calls: Dashboard.Row {
        let buckets = mine(HTTPClientTelemetry.requestDuration.buckets)
        return Dashboard.Row(
            "Calls to other services",
            [
                .lines(
                    "calls by status", .perSecond,
                    [
                        .init(
                            buckets.where("le", .equals("+Inf")).rate(.panel).sum(
                                by: "server_address", "server_port", "http_response_status_code"),
                            "{{server_address}}:{{server_port}} {{http_response_status_code}}")
                    ], width: 12),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            buckets.rate(.panel).sum(by: "server_address", "server_port", "le").quantile(0.95),
                            "{{server_address}}:{{server_port}}", exemplars: true)
                    ], width: 12),
                .lines(
                    "left alone", .none,
                    [.init(mine(ServiceBreakers.open.series).now.max(by: "upstream"), "{{upstream}}")], width: 12,
                    help: "1 while calls to a service are refused because it fails."),
                .lines(
                    "refused meanwhile", .operations,
                    [.init(mine(ServiceBreakers.refused.series).rate(.panel).sum(by: "upstream"), "{{upstream}}")],
                    width: 12),
            ])
    }
}
