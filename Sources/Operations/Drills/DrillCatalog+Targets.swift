internal import Glibc
internal import HTTPCodec
internal import LocalStack
internal import ServiceKit

/// Drills of processes and of the servers and monitors around them.
extension DrillCatalog {
    static let targets = [
        Drill(
            .targets,
            [
                .init("ServiceDown", ["job": "warehouse"]),
                .init("QueueWithoutConsumer", ["queue": "warehouse-service.order.created"]),
                .init("BreakerOpen", ["upstream": "warehouse"]),
            ], "the warehouse is killed", traffic: 10, keepsTraffic: true,
            begin: { try await $0.blocking { $0.kill("warehouse") } },
            end: { try await $0.blocking { try $0.startService("warehouse") } },
            request: { try await $0.send(.get, "gateway", "/api/v1/stock-levels?limit=1") }),
        Drill(
            .targets, "ServiceMissing", ["job": "catalog"], "Prometheus forgets the catalog",
            begin: { try await $0.blocking { try $0.setPrometheus(missing: "catalog") } },
            end: { try await $0.blocking { try $0.setPrometheus(missing: "") } }),
        Drill(
            .targets, "ScrapeSlow", ["job": "purchase"], "a scrape takes 6 s",
            begin: {
                // More often than it can be scraped, it would be down instead.
                try await $0.blocking { try $0.setPrometheus(slow: "purchase") }
                try await $0.turnOn(.slowScrapes, at: "purchase", amount: 6_000)
            },
            end: {
                try await $0.turnOff(.slowScrapes, at: "purchase")
                try await $0.blocking { try $0.setPrometheus(slow: "") }
            }),
        Drill(
            .targets, "EventLoopBlocked", ["job": "payments"],
            "the process of payments stands still for 0.4 s a second",
            traffic: 1,
            end: { try await $0.blocking { $0.process("payments")?.signal(SIGCONT) } },
            request: {
                try await $0.blocking { platform in
                    platform.process("payments")?.signal(SIGSTOP)
                    usleep(400_000)
                    platform.process("payments")?.signal(SIGCONT)
                }
            }),
        Drill(
            .targets, "RuleEvaluationFailing", [:], "a rule that no server can evaluate",
            begin: { try await $0.blocking { try $0.setPrometheus(broken: true) } },
            end: { try await $0.blocking { try $0.setPrometheus(broken: false) } }),
        Drill(
            .targets, "AlertsNotDelivered", [:], "Alertmanager posts to an address that refuses it",
            begin: { try await $0.blocking { try $0.tellAlso([$0.url("notifications") + "/alerts/v4"]) } },
            end: { try await $0.blocking { try $0.tellAlso([]) } }),
        Drill(
            .targets, "BrokerDisconnected", ["job": "users"], "the broker knows the password of users no more",
            begin: {
                _ = try await $0.management(
                    .put, "/users/\(DrillPlatform.brokerUser)", #"{"password":"another","tags":""}"#)
                try await $0.cutBroker()
            },
            end: {
                _ = try await $0.management(
                    .put, "/users/\(DrillPlatform.brokerUser)",
                    #"{"password":"\#(DrillPlatform.brokerUser)","tags":""}"#)
            }),
        Drill(
            .targets, "RedisDown", [:], "Redis is stopped",
            begin: { try await $0.blocking { $0.stopRedis() } },
            end: { try await $0.blocking { try $0.startRedis() } }),
    ]

    static let infrastructure = [
        Drill(
            .database, "PostgreSQLDown", [:], "PostgreSQL is stopped",
            begin: { try await $0.blocking { $0.stopPostgres() } },
            end: { try await $0.blocking { try $0.startPostgres() } }),
        Drill(
            .watchdog, [.init("Watchdog")], "Prometheus is stopped: the alert that always fires is over",
            isInverted: true, begin: { try await $0.blocking { $0.stopPrometheus() } },
            end: { try await $0.blocking { try $0.restartPrometheus() } }),
    ]
}
