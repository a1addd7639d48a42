internal import PostgreSQL
internal import Redis
internal import Telemetry

/// Alerts on databases and Redis, as their clients see them and as their exporters do.
extension AlertCatalog {
    var databaseAlerts: [AlertRule] { connections + statements }

    private var connections: [AlertRule] {
        [
            AlertRule(
                "DatabaseConnectionFailures", .page, .platform, .critical,
                when: .happened(PostgreSQLTelemetry.failures.series, by: ["job"], over: time.minutes(5)),
                for: time.minutes(1), as: .count, summary: "{{ $labels.job }} cannot connect to its database",
                impact: "Requests that need data fail, and events are put back into their queues.",
                dashboard: PostgreSQLDashboard.uid),
            AlertRule(
                "DatabasePoolTimeouts", .page, .platform, .high,
                when: .happened(PostgreSQLTelemetry.timeouts.series, by: ["job"], over: time.minutes(5)),
                for: time.minutes(1), as: .count, summary: "{{ $labels.job }} waits in vain for database connections",
                impact: "Some requests fail because every connection of the pool is taken.",
                dashboard: PostgreSQLDashboard.uid),
            AlertRule(
                "ConnectionPoolSaturated", .ticket, .platform, .high,
                when: .share(
                    of: PostgreSQLTelemetry.connections.series.where("db_client_connection_state", .equals("used")),
                    in: PostgreSQLTelemetry.maxConnections.series, by: ["job"], above: 0.8),
                for: time.minutes(2), as: .percent,
                summary: "{{ $labels.job }} uses more than 80 % of its database connections",
                impact: "Nothing yet; at 100 % requests wait for a connection, then fail.",
                dashboard: PostgreSQLDashboard.uid),
            AlertRule(
                "PostgreSQLDown", .page, .platform, .critical,
                when: .isZero(ExternalMetrics.PostgreSQL.up, by: ["job", "instance"]), for: time.minutes(1), as: .count,
                summary: "PostgreSQL on {{ $labels.instance }} does not answer",
                impact: "Every service with a database fails its requests.", dashboard: PostgreSQLDashboard.uid),
        ]
    }

    private var statements: [AlertRule] {
        let queries = PostgreSQLTelemetry.queries.series
        return [
            AlertRule(
                "DatabaseErrors", .ticket, .platform, .high,
                when: .share(
                    of: queries.where("outcome", .equals("error")), in: queries, by: ["job"], above: 0.05,
                    over: time.minutes(5), atLeast: 50),
                for: time.minutes(2), as: .percent,
                summary: "more than 5 % of the statements of {{ $labels.job }} fail",
                impact: "Requests fail or are tried again; conflicts and time-outs are the usual reasons.",
                dashboard: PostgreSQLDashboard.uid),
            AlertRule(
                "DatabaseSlow", .ticket, .platform, .normal,
                when: .quantile(
                    0.95, of: PostgreSQLTelemetry.queryDuration.buckets, count: PostgreSQLTelemetry.queryDuration.count,
                    by: ["job"], above: 0.1, over: time.minutes(10), atLeast: 100),
                for: time.minutes(5), as: .seconds,
                summary: "one statement of {{ $labels.job }} in twenty takes more than 100 ms",
                impact: "Requests slow down; connections are held longer, until the pool runs dry.",
                dashboard: PostgreSQLDashboard.uid),
            AlertRule(
                "DatabaseRequestRateHigh", .info, .platform, .normal,
                when: .rate(of: queries, by: ["job"], above: 100, over: time.minutes(5)), for: time.minutes(5),
                as: .perSecond, summary: "{{ $labels.job }} sends more than 100 statements a second",
                impact: "Nothing: this is load worth knowing of, for capacity and for queries in loops.",
                dashboard: PostgreSQLDashboard.uid),
        ]
    }

    var redisAlerts: [AlertRule] {
        [
            AlertRule(
                "RedisDisconnected", .page, .shop, .critical,
                when: .isZero(RedisTelemetry.connected.series, by: ["job"]), for: time.minutes(1), as: .count,
                summary: "{{ $labels.job }} has no connection to Redis",
                impact: "Carts cannot be read or changed; lists of products come from the database.",
                dashboard: RedisDashboard.uid),
            AlertRule(
                "RedisDown", .page, .platform, .critical,
                when: .isZero(ExternalMetrics.Redis.up, by: ["job", "instance"]), for: time.minutes(1), as: .count,
                summary: "Redis on {{ $labels.instance }} does not answer",
                impact: "Carts cannot be read or changed; lists of products come from the database.",
                dashboard: RedisDashboard.uid),
            AlertRule(
                "RedisMemoryHigh", .page, .platform, .high,
                when: .share(
                    of: ExternalMetrics.Redis.usedMemory, in: ExternalMetrics.Redis.maxMemory,
                    by: ["job", "instance"], above: 0.9),
                for: time.minutes(5), as: .percent,
                summary: "Redis on {{ $labels.instance }} uses more than 90 % of its memory",
                impact: "When it is full, Redis refuses writes or drops keys: carts are lost or cannot be changed.",
                dashboard: RedisDashboard.uid),
        ]
    }
}
