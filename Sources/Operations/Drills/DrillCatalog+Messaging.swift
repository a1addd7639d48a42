internal import HTTPCodec
internal import ServiceKit
/// Drills of events on their way, and of orders.
extension DrillCatalog {
    private static let many = 1_150

    /// So many events that only the audit trail takes.
    private static func notes(_ type: String = "drill.note", _ body: String = "'{}'") -> String {
        """
        INSERT INTO outbox (id, type, subject, body)
        SELECT gen_random_uuid(), '\(type)', 'drill', \(body) FROM generate_series(1, \(many))
        """
    }

    static let messaging = [
        Drill(
            .messaging, [.init("OutboxStale", ["job": "payments"]), .init("OutboxBacklog", ["job": "payments"])],
            "nothing leaves the outbox of payments",
            begin: {
                try await $0.turnOn(.stoppedRelay, at: "payments")
                try await $0.sql("payment_db", notes())
            }, end: { try await $0.turnOff(.stoppedRelay, at: "payments") }),
        Drill(
            .messaging, "QueueBacklog", ["queue": "notifications-service.audit"], "the audit trail takes no events",
            begin: {
                try await $0.turnOn(.pausedConsumers, at: "notifications", only: "audit")
                try await $0.sql("wms_db", notes())
            }, end: { try await $0.turnOff(.pausedConsumers, at: "notifications") }),
        Drill(
            .messaging, "DeadLetters", ["job": "users"], "a message that nobody can read", traffic: 0.5,
            request: {
                try await $0.publish(
                    "order.processed", subject: "drill", body: "not JSON", queue: "users-service.order.processed")
            }),
        Drill(
            .messaging, "MessagesRetried", ["job": "payments"], "payments handle cancellations in vain", traffic: 8,
            begin: { try await $0.turnOn(.failingConsumers, at: "payments", only: "order.cancelled") },
            end: { try await $0.turnOff(.failingConsumers, at: "payments") },
            request: {
                let id = DrillTools.newID()
                try await $0.publish(
                    "order.cancelled", subject: id,
                    body: #"{"order_id":"\#(id)","user_id":"\#(id)","total":1.00,"reason":"drill"}"#)
            }),
        Drill(
            .messaging, "OutboxPublishFailing", ["job": "users"], "users may not publish any more", traffic: 2,
            begin: {
                _ = try await $0.management(
                    .put, "/permissions/%2F/\(DrillPlatform.brokerUser)",
                    #"{"configure":".*","write":"^(?!orders$).*$","read":".*"}"#)
                try await $0.cutBroker()
            },
            end: {
                _ = try await $0.management(
                    .put, "/permissions/%2F/\(DrillPlatform.brokerUser)",
                    #"{"configure":".*","write":".*","read":".*"}"#)
                try await $0.cutBroker()
            }, request: { try await $0.register() }),
        Drill(
            .messaging, "SagaStuck", [:], "the warehouse is silent and overdue orders are not looked for",
            begin: {
                try await $0.turnOn(.failingJobs, at: "processor", only: "saga_timeouts")
                try await $0.turnOn(.pausedConsumers, at: "warehouse", only: "order.created")
                for _ in 0..<3 { try await $0.placeOrder($0.product) }
            },
            end: {
                try await $0.turnOff(.pausedConsumers, at: "warehouse")
                try await $0.turnOff(.failingJobs, at: "processor")
            }),
    ]

    static let orders = [
        Drill(
            .orders, "PaymentDeclinesHigh", ["job": "payments"], "every payment is declined", traffic: 4,
            begin: { try await $0.turnOn(.declines, at: "payments") },
            end: { try await $0.turnOff(.declines, at: "payments") },
            request: { try await $0.placeOrder($0.product) }),
        Drill(
            .orders, "NotificationsBacklog", [:], "the mailbox cannot be written and 1150 letters wait",
            begin: {
                try await $0.blocking { try $0.blockMailbox() }
                let user = DrillTools.adminRow
                try await $0.sql("users_db", notes("order.status_changed", DrillTools.statusChangedSQL(user: user)))
            }, end: { try await $0.blocking { try $0.unblockMailbox() } }),
        Drill(
            .timeouts, "SagaTimeouts", ["job": "processor"], "the warehouse does not answer", traffic: 5,
            begin: { try await $0.turnOn(.pausedConsumers, at: "warehouse", only: "order.created") },
            end: { try await $0.turnOff(.pausedConsumers, at: "warehouse") },
            request: { try await $0.placeOrder($0.product) }),
    ]
}
