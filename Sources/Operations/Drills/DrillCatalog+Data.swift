internal import Glibc
internal import HTTPCodec
internal import ServiceKit

/// Drills of databases, Redis and of telemetry's own back ends.
extension DrillCatalog {
    static let data = [
        Drill(
            .data,
            [
                .init("DatabasePoolTimeouts", ["job": "warehouse"]),
                .init("ConnectionPoolSaturated", ["job": "warehouse"]),
            ], "every connection of the warehouse is taken", traffic: 15,
            begin: { try await $0.turnOn(.busyPool, at: "warehouse") },
            end: { try await $0.turnOff(.busyPool, at: "warehouse") },
            request: { try await $0.send(.get, "warehouse", "/api/v1/stock-levels?limit=1") }),
        Drill(
            .data, "DatabaseErrors", ["job": "payments"], "a table of payments is renamed", traffic: 25,
            begin: { try await $0.sql("payment_db", "ALTER TABLE payments RENAME TO payments_away") },
            end: { try await $0.sql("payment_db", "ALTER TABLE payments_away RENAME TO payments") },
            request: { try await $0.send(.get, "payments", "/api/v1/payments?order_id=" + DrillTools.newID()) }),
        Drill(
            .data, "DatabaseSlow", ["job": "users"], "somebody locks the table of users again and again", traffic: 30,
            begin: { $0.lockRepeatedly("users_db", table: "users") }, end: { await $0.unlock() },
            request: { try await $0.logIn() }),
        Drill(
            .data, "DatabaseRequestRateHigh", ["job": "catalog"], "200 look-ups a second", traffic: 200,
            request: { try await $0.send(.get, "catalog", "/api/products/\($0.product)") }),
        Drill(
            .data, "DatabaseConnectionFailures", ["job": "processor"], "processor_db takes no connections",
            begin: {
                try await $0.sql("postgres", "ALTER DATABASE processor_db WITH ALLOW_CONNECTIONS false")
                try await $0.sql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'processor_db'")
            },
            end: { try await $0.sql("postgres", "ALTER DATABASE processor_db WITH ALLOW_CONNECTIONS true") }),
        Drill(
            .data, "RedisMemoryHigh", [:], "Redis may have little more memory than it uses",
            begin: {
                try await $0.blocking {
                    _ = try $0.redisCommand(["CONFIG", "SET", "maxmemory", "1mb"], asMonitor: true)
                }
            },
            end: {
                try await $0.blocking {
                    _ = try $0.redisCommand(["CONFIG", "SET", "maxmemory", "256mb"], asMonitor: true)
                }
            }),
        Drill(
            .data, "RedisDisconnected", ["job": "cart"], "the services' user of Redis is switched off",
            begin: {
                try await $0.blocking {
                    _ = try $0.redisCommand(["ACL", "SETUSER", "default", "off"], asMonitor: true)
                    _ = try $0.redisCommand(["CLIENT", "KILL", "USER", "default"], asMonitor: true)
                }
            },
            end: {
                try await $0.blocking { _ = try $0.redisCommand(["ACL", "SETUSER", "default", "on"], asMonitor: true) }
            }),
    ]

    static let telemetry = [
        Drill(
            .data, "SpanExportFailing", ["job": "catalog"], "the collector refuses spans", traffic: 60,
            begin: { $0.stubs.setMood(.refusing) }, end: { $0.stubs.setMood(.well) },
            request: { try await $0.send(.get, "catalog", "/api/products/\($0.product)") }),
        Drill(
            .messaging, "SpansDropped", ["job": "cart"], "spans come faster than a queue of eight takes them",
            traffic: 4,
            request: { tools in
                await withDiscardingTaskGroup { group in
                    for _ in 0..<40 { group.addTask { _ = try? await tools.send(.get, "cart", "/cart-api/cart/") } }
                }
            }),
        Drill(
            .messaging,
            [.init("LogstashDisconnected", ["job": "catalog"]), .init("LogLinesDropped", ["job": "catalog"])],
            "Logstash is gone", traffic: 100,
            begin: {
                $0.stubs.stopLogs()
                try await $0.send(
                    .put, "catalog", "/admin/log-levels", json: #"{"level":"debug","ttl_seconds":600}"#)
            },
            end: {
                $0.stubs.startLogs()
                try await $0.send(.put, "catalog", "/admin/log-levels", json: #"{"level":"info","ttl_seconds":60}"#)
            },
            request: { try await $0.send(.get, "catalog", "/api/products/?category=Tools&limit=5") }),
        Drill(
            .messaging, "WorkerPoolRefusing", ["job": "cart"], "sixty scrapes at once", traffic: 2,
            request: { tools in
                await withDiscardingTaskGroup { group in
                    for _ in 0..<60 { group.addTask { _ = try? await tools.send(.get, "cart", "/metrics") } }
                }
            }),
    ]
}
