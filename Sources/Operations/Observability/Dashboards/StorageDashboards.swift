internal import PostgreSQL
internal import Redis
internal import Telemetry

/// PostgreSQL: as the services' clients see it, and as its exporter does.
struct PostgreSQLDashboard {
    static let uid = "vitrine-postgresql"

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · PostgreSQL", "Statements, pools and the server itself.", tags: ["data"],
            rows: [clients, server])
    }

    private var clients: Dashboard.Row {
        let queries = PostgreSQLTelemetry.queries.series
        let used = PostgreSQLTelemetry.connections.series.where("db_client_connection_state", .equals("used"))
        return Dashboard.Row(
            "Clients",
            [
                .stacked(
                    "statements", .operations, [.init(queries.rate(.panel).sum(by: "job"), "{{job}}")],
                    alert: "DatabaseRequestRateHigh"),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            PostgreSQLTelemetry.queryDuration.buckets.rate(.panel).sum(by: "job", "le").quantile(0.95),
                            "{{job}}", exemplars: true)
                    ], thresholds: (0.05, 0.1), alert: "DatabaseSlow"),
                .lines(
                    "share that fails", .share,
                    [
                        .init(
                            queries.where("outcome", .equals("error")).rate(.panel).sum(by: "job")
                                .share(of: queries.rate(.panel).sum(by: "job")), "{{job}}")
                    ], thresholds: (0.01, 0.05), alert: "DatabaseErrors"),
                .lines(
                    "pools in use", .share,
                    [
                        .init(
                            used.now.sum(by: "job")
                                / (PostgreSQLTelemetry.maxConnections.series.now.sum(by: "job") > 0), "{{job}}")
                    ], thresholds: (0.6, 0.8), alert: "ConnectionPoolSaturated"),
                .lines(
                    "waiting for a connection", .none,
                    [.init(PostgreSQLTelemetry.pendingRequests.series.now.sum(by: "job"), "{{job}}")],
                    alert: "DatabasePoolTimeouts"),
                .lines(
                    "connections not opened", .operations,
                    [.init(PostgreSQLTelemetry.failures.series.rate(.panel).sum(by: "job"), "{{job}}")],
                    alert: "DatabaseConnectionFailures"),
            ])
    }

    private var server: Dashboard.Row {
        typealias Server = ExternalMetrics.PostgreSQL
        let hit = Server.blocksHit.rate(.panel).sum(by: "datname")
        return Dashboard.Row(
            "Server",
            [
                .lines(
                    "up", .upDown, [.init(Server.up.now.min(by: "instance"), "{{instance}}")], alert: "PostgreSQLDown"),
                .stacked("connections", .none, [.init(Server.backends.now.sum(by: "datname"), "{{datname}}")]),
                .lines("allowed connections", .none, [.init(Server.maxConnections.now.max(by: []), "allowed")]),
                .lines(
                    "transactions", .operations,
                    [
                        .init(Server.commits.rate(.panel).sum(by: "datname"), "committed {{datname}}"),
                        .init(Server.rollbacks.rate(.panel).sum(by: "datname"), "rolled back {{datname}}"),
                    ]),
                .lines(
                    "found in memory", .share,
                    [.init(hit / (hit + Server.blocksRead.rate(.panel).sum(by: "datname")), "{{datname}}")]),
                .lines(
                    "deadlocks and locks", .none,
                    [
                        .init(Server.deadlocks.increase(.minutes(5)).sum(by: "datname"), "deadlocks {{datname}}"),
                        .init(Server.locks.now.sum(by: "mode"), "{{mode}}"),
                    ]),
                .stacked("size", .bytes, [.init(Server.size.now.max(by: "datname"), "{{datname}}")]),
            ])
    }
}

/// Redis: as the services' clients see it, and as its exporter does.
struct RedisDashboard {
    static let uid = "vitrine-redis"

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · Redis", "Commands, memory, hits.", tags: ["data"], rows: [clients, server])
    }

    private var clients: Dashboard.Row {
        Dashboard.Row(
            "Clients",
            [
                .stacked(
                    "commands", .operations,
                    [
                        .init(
                            RedisTelemetry.commands.series.rate(.panel).sum(by: "job", "outcome"), "{{job}} {{outcome}}"
                        )
                    ]),
                .lines(
                    "95th percentile", .seconds,
                    [
                        .init(
                            RedisTelemetry.duration.buckets.rate(.panel).sum(by: "job", "command", "le").quantile(0.95),
                            "{{job}} {{command}}", exemplars: true)
                    ]),
                .lines(
                    "connections", .none, [.init(RedisTelemetry.connected.series.now.sum(by: "job"), "{{job}}")],
                    alert: "RedisDisconnected"),
            ])
    }

    private var server: Dashboard.Row {
        typealias Server = ExternalMetrics.Redis
        let hits = Server.hits.rate(.panel).sum(by: "instance")
        return Dashboard.Row(
            "Server",
            [
                .lines("up", .upDown, [.init(Server.up.now.min(by: "instance"), "{{instance}}")], alert: "RedisDown"),
                .lines(
                    "memory", .bytes,
                    [
                        .init(Server.usedMemory.now.max(by: "instance"), "used {{instance}}"),
                        .init(Server.maxMemory.now.max(by: "instance"), "allowed {{instance}}"),
                    ], alert: "RedisMemoryHigh"),
                .lines(
                    "share of keys found", .share,
                    [.init(hits / (hits + Server.misses.rate(.panel).sum(by: "instance")), "{{instance}}")]),
                .lines(
                    "commands", .operations,
                    [.init(Server.commands.rate(.panel).sum(by: "instance"), "{{instance}}")]),
                .lines(
                    "keys and evictions", .none,
                    [
                        .init(Server.keys.now.sum(by: "db"), "keys {{db}}"),
                        .init(Server.evicted.increase(.minutes(5)).sum(by: "instance"), "evicted {{instance}}"),
                    ]),
                .lines("clients", .none, [.init(Server.clients.now.max(by: "instance"), "{{instance}}")]),
            ])
    }
}
