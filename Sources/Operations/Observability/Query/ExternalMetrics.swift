/// Series that others than Vitrine emit, declared so that queries over them are checked like our own: Prometheus and
/// Alertmanager themselves, and the exporters of PostgreSQL, Redis and RabbitMQ in `docker-compose.monitoring.yml`.
package enum ExternalMetrics {
    /// 1 when the last scrape of a target succeeded (Prometheus).
    package static let up = level("up")
    /// Alerts that are pending or firing (Prometheus).
    package static let alerts = level("ALERTS", ["alertname", "alertstate", "severity"])
    package static let scrapeDuration = level("scrape_duration_seconds")
    package static let scrapedSamples = level("scrape_samples_scraped")
    package static let ruleFailures = cumulative("prometheus_rule_evaluation_failures_total", ["rule_group"])
    package static let droppedNotifications = cumulative("prometheus_notifications_dropped_total")
    package static let headSeries = level("prometheus_tsdb_head_series")
    package static let failedNotifications = cumulative("alertmanager_notifications_failed_total", ["integration"])

    /// PostgreSQL (prometheus-community/postgres_exporter).
    package enum PostgreSQL {
        package static let up = level("pg_up")
        package static let backends = level("pg_stat_database_numbackends", ["datid", "datname"])
        package static let maxConnections = level("pg_settings_max_connections", ["server"])
        package static let commits = cumulative("pg_stat_database_xact_commit", ["datid", "datname"])
        package static let rollbacks = cumulative("pg_stat_database_xact_rollback", ["datid", "datname"])
        package static let deadlocks = cumulative("pg_stat_database_deadlocks", ["datid", "datname"])
        package static let blocksHit = cumulative("pg_stat_database_blks_hit", ["datid", "datname"])
        package static let blocksRead = cumulative("pg_stat_database_blks_read", ["datid", "datname"])
        package static let size = level("pg_database_size_bytes", ["datname"])
        package static let locks = level("pg_locks_count", ["datname", "mode"])
    }

    /// Redis (oliver006/redis_exporter).
    package enum Redis {
        package static let up = level("redis_up")
        package static let usedMemory = level("redis_memory_used_bytes")
        package static let maxMemory = level("redis_memory_max_bytes")
        package static let clients = level("redis_connected_clients")
        package static let commands = cumulative("redis_commands_processed_total")
        package static let hits = cumulative("redis_keyspace_hits_total")
        package static let misses = cumulative("redis_keyspace_misses_total")
        package static let evicted = cumulative("redis_evicted_keys_total")
        package static let keys = level("redis_db_keys", ["db"])
    }

    /// RabbitMQ (its own plug-in `rabbitmq_prometheus`, with metrics per object).
    package enum RabbitMQ {
        package static let messages = level("rabbitmq_queue_messages", ["queue", "vhost"])
        package static let ready = level("rabbitmq_queue_messages_ready", ["queue", "vhost"])
        package static let unacknowledged = level("rabbitmq_queue_messages_unacked", ["queue", "vhost"])
        package static let consumers = level("rabbitmq_queue_consumers", ["queue", "vhost"])
        package static let connections = level("rabbitmq_connections")
        package static let memory = level("rabbitmq_process_resident_memory_bytes")
        package static let memoryLimit = level("rabbitmq_resident_memory_limit_bytes")
        package static let diskAvailable = level("rabbitmq_disk_space_available_bytes")
        package static let diskLimit = level("rabbitmq_disk_space_available_limit_bytes")
    }

    private static func level(_ name: String, _ labels: [String] = []) -> Selector<Level> {
        Selector(name: name, metric: name, labels: labels)
    }

    private static func cumulative(_ name: String, _ labels: [String] = []) -> Selector<Cumulative> {
        Selector(name: name, metric: name, labels: labels)
    }

    /// Every name above.
    package static let names: Set<String> = Set(
        [
            up, alerts, scrapeDuration, scrapedSamples, headSeries, PostgreSQL.up, PostgreSQL.backends,
            PostgreSQL.maxConnections, PostgreSQL.size, PostgreSQL.locks, Redis.up, Redis.usedMemory, Redis.maxMemory,
            Redis.clients, Redis.keys, RabbitMQ.messages, RabbitMQ.ready, RabbitMQ.unacknowledged, RabbitMQ.consumers,
            RabbitMQ.connections, RabbitMQ.memory, RabbitMQ.memoryLimit, RabbitMQ.diskAvailable, RabbitMQ.diskLimit,
        ].map(\.metric)
            + [
                ruleFailures, droppedNotifications, failedNotifications, PostgreSQL.commits, PostgreSQL.rollbacks,
                PostgreSQL.deadlocks, PostgreSQL.blocksHit, PostgreSQL.blocksRead, Redis.commands, Redis.hits,
                Redis.misses, Redis.evicted,
            ].map(\.metric))
}
