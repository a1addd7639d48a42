internal import HTTPCodec
internal import ServiceKit
/// Every drill of the platform: for each alert one fault, as real as it can be made from outside and by switches.
package enum DrillCatalog {
    package static let all: [Drill] =
        background + services + tasks + users + data + telemetry + messaging + orders + targets + infrastructure

    /// Drills for some alerts.
    /// - Throws: `DrillError` naming what there is none for.
    package static func drills(for alerts: [String]) throws -> [Drill] {
        for alert in alerts where !all.contains(where: { $0.alerts.contains(alert) }) {
            throw DrillError("there is no drill for '\(alert)': 'vitrine drill --list' shows what there is")
        }
        return all.filter { drill in drill.alerts.contains { alerts.contains($0) } }
    }

    /// Settings of single services that faults ask for.
    static func overrides(collector: String, logstash: String, broker: String) -> [String: [String: String]] {
        [
            "catalog": [
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER": "always_on",
                "OTEL_BSP_SCHEDULE_DELAY": "500", "LOGSTASH_ADDRESS": logstash,
            ],
            "cart": [
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER": "always_on",
                "OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
                "OTEL_BSP_SCHEDULE_DELAY": "1000",
            ],
            "purchase": ["VITRINE_MEMORY_LIMIT_MIB": "400", "NOFILE": "300"],
            "gateway": ["GATEWAY_RATE_LIMIT_PER_SECOND": "50"],
            "notifications": ["NOTIFICATIONS_RETRY_MS": "1000"],
            "users": ["RABBITMQ_URL": broker],
        ]
    }

    // MARK: Long

    private static let background = [
        Drill(
            .background,
            [
                .init("ErrorBudgetBurnFast", ["job": "catalog", "slo": "availability"]),
                .init("ErrorBudgetBurn", ["job": "catalog", "slo": "availability"]),
                .init("ErrorBudgetBurnSlow", ["job": "catalog", "slo": "availability"]),
                .init("ErrorBudgetBurnTrickle", ["job": "catalog", "slo": "availability"]),
            ], "a third of the catalog's requests fails", traffic: 20, isCascade: true,
            begin: { try await $0.turnOn(.errors, at: "catalog", amount: 0.33, only: "/api/products/{product_id}") },
            end: { try await $0.turnOff(.errors, at: "catalog") },
            request: { try await $0.send(.get, "catalog", "/api/products/\($0.product)") })
    ]

    // MARK: Services

    private static let services = [
        Drill(
            .services, "HighErrorRate", ["job": "warehouse"], "half of the warehouse's requests fail", traffic: 20,
            begin: { try await $0.turnOn(.errors, at: "warehouse", amount: 0.5) },
            end: { try await $0.turnOff(.errors, at: "warehouse") },
            request: { try await $0.send(.get, "warehouse", "/api/v1/stock-levels?limit=1") }),
        Drill(
            .services, "HighLatencyP95", ["job": "payments"], "payments take 1.5 s longer", traffic: 15,
            begin: { try await $0.turnOn(.latency, at: "payments", amount: 1_500) },
            end: { try await $0.turnOff(.latency, at: "payments") },
            request: { try await $0.send(.get, "payments", "/api/v1/payments?order_id=" + DrillTools.newID()) }),
        Drill(
            .services, "HighLatencyP99", ["job": "notifications"], "one page of notifications takes 0.7 s longer",
            traffic: 25,
            begin: { try await $0.turnOn(.latency, at: "notifications", amount: 700, only: "/api/v1/deliveries") },
            end: { try await $0.turnOff(.latency, at: "notifications") },
            request: { try await $0.send(.get, "notifications", "/api/v1/deliveries?limit=1") }),
        Drill(
            .services, "MemoryHigh", ["job": "purchase"], "purchase holds 400 MiB of the 400 it may have",
            begin: { try await $0.turnOn(.ballast, at: "purchase", amount: 400) },
            end: { try await $0.turnOff(.ballast, at: "purchase") }),
        Drill(
            .services, "DescriptorsHigh", ["job": "purchase"], "connections take most of 300 descriptors", traffic: 1,
            end: { $0.sockets.closeAll(to: "purchase") },
            request: { $0.sockets.open(25, to: "purchase", port: $0.platform.port("purchase"), keep: 250) }),
        Drill(
            .services, "MetricMisuse", ["job": "purchase"], "a metric gets more label sets than it may have",
            traffic: 0.5, end: { try await $0.turnOff(.labels, at: "purchase") },
            request: { try await $0.turnOn(.labels, at: "purchase", amount: 2_500) }),
        Drill(
            .services,
            [
                .init("JobFailing", ["job": "orders", "exported_job": "ship_orders"]),
                .init("JobStale", ["job": "orders", "exported_job": "ship_orders"]),
            ], "a job of orders fails",
            begin: { try await $0.turnOn(.failingJobs, at: "orders", only: "ship_orders") },
            end: { try await $0.turnOff(.failingJobs, at: "orders") }),
        Drill(
            .services, "CheckoutFailing", [:], "orders refuse every new order", traffic: 8,
            begin: { try await $0.turnOn(.errors, at: "orders", only: "/order-api/orders") },
            end: { try await $0.turnOff(.errors, at: "orders") },
            request: {
                try await $0.fillCart()
                try await $0.send(.post, "cart", "/cart-api/cart/checkout", json: "{}")
            }),
        Drill(
            .services, "ConnectionsRefused", ["job": "gateway"], "one address opens 320 connections", traffic: 1,
            end: { $0.sockets.closeAll(to: "gateway") },
            request: {
                $0.sockets.closeAll(to: "gateway")
                $0.sockets.open(320, to: "gateway", port: $0.platform.port("gateway"), keep: 400)
            }),
        Drill(
            .services, "ManyClientsLimited", ["job": "gateway"], "a client sends 150 requests a second of 50",
            traffic: 150,
            request: { try await $0.send(.get, "gateway", "/api/products/categories/list") }),
        Drill(
            .services,
            [.init("PaymentContradiction", ["job": "payments"]), .init("StockContradiction", ["job": "warehouse"])],
            "an order that nobody knows is said to be completed", traffic: 0.5,
            request: {
                let id = DrillTools.newID()
                try await $0.publish(
                    "order.processed", subject: id, body: #"{"order_id":"\#(id)","status":"completed"}"#)
            }),
        Drill(
            .services, "NotificationsFailing", [:], "letters to users who do not exist", traffic: 8,
            request: {
                let id = DrillTools.newID()
                try await $0.publish(
                    "order.status_changed", subject: id, body: DrillTools.statusChanged(order: id, user: id))
            }),
    ]

    // MARK: Tasks

    private static let tasks = [
        Drill(
            .services, "TaskDeadLetters", ["job": "purchase"], "what is no task lies among the tasks", traffic: 0.5,
            request: {
                try await $0.blocking {
                    _ = try $0.redisCommand(["XADD", "tasks:{purchase}:normal", "*", "no", "task"])
                }
            }),
        Drill(
            .services, "TasksStale", ["job": "purchase"], "a task of twenty minutes ago that no worker is given",
            begin: { try await $0.blocking { try $0.loseTask(in: "tasks:{purchase}:low") } },
            end: {
                try await $0.blocking { _ = try $0.redisCommand(["XTRIM", "tasks:{purchase}:low", "MAXLEN", "0"]) }
            }),
    ]

    // MARK: Users

    private static let users = [
        Drill(
            .services, "AuthFailuresHigh", ["job": "users"], "log-ins fail although the password is right", traffic: 15,
            begin: { try await $0.turnOn(.failedLogins, at: "users") },
            end: { try await $0.turnOff(.failedLogins, at: "users") },
            request: { try await $0.logIn() }),
        Drill(
            .services, "RefreshTokenReuse", ["job": "users"], "a refresh token is used twice",
            traffic: 0.5, request: { try await $0.reuseRefreshToken() }),
        Drill(
            .services, "InvariantViolated", ["job": "users", "invariant": "I4"], "a total is changed by hand",
            begin: {
                try await $0.sql("users_db", "UPDATE users SET total_spent = total_spent + 1 WHERE role = 'admin'")
            },
            end: {
                try await $0.sql("users_db", "UPDATE users SET total_spent = total_spent - 1 WHERE role = 'admin'")
            }),
    ]
}
