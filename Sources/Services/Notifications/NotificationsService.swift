internal import Configuration
internal import EventLoop
internal import Mail
internal import OrdersContracts
package import ServiceKit
internal import Telemetry

/// Tells customers how their orders go and the people on call what is wrong, and keeps the audit trail of every event.
package enum NotificationsService {
    package static let definition = ServiceDefinition(
        name: "notifications", summary: "e-mails customers, tells of alerts, keeps the audit trail", port: 8005,
        database: "notifications_db", usesBroker: true,
        migrations: [
            Migration(1, "create_deliveries", PackageResources._001_create_deliveries_sql),
            Migration(2, "tell_more_of_deliveries", PackageResources._002_tell_more_of_deliveries_sql),
            Migration(3, "receive_alerts", PackageResources._003_receive_alerts_sql),
        ],
        consumes: [.to(OrderStatusChanged.self), .toEveryEvent(queue: "audit")],
        telemetry: NotificationsTelemetry.declarations,
        clients: [
            .init("mail client", MailTelemetry.declarations), .init("Telegram client", TelegramTelemetry.declarations),
        ]
    ) { app in
        let configuration = NotificationsConfiguration(app.configuration)
        let deliveries = DeliveryRepository(database: app.database)
        let audit = AuditLog(database: app.database)
        // Threads of its own: a mail server that hangs must not keep passwords of other services waiting.
        let postmen = WorkerPool(threads: DeliverySender.concurrency, name: "mail")
        app.component(Postmen(pool: postmen))
        let telemetry = NotificationsTelemetry(app.telemetry)
        let telegram = configuration.telegram.map {
            TelegramClient($0, workers: postmen, telemetry: app.telemetry)
        }
        let sender = DeliverySender(
            deliveries: deliveries, services: app.services,
            mail: MailClient(transport: configuration.transport, workers: postmen, telemetry: app.telemetry),
            telegram: telegram, from: configuration.from, onCall: configuration.onCall,
            schedule: DeliverySchedule(firstPauseMilliseconds: configuration.retryMilliseconds),
            telemetry: telemetry, tracer: app.telemetry.tracer)

        let events = AlertEvents(database: app.database, deliveries: deliveries)
        let admin = AdminRoutes(audit: audit, deliveries: deliveries, alerts: events)
        app.routes("/api/v1/audit") { admin.declareAudit($0) }
        app.routes("/api/v1/deliveries") { admin.declareDeliveries($0) }
        app.routes("/api/v1/alerts") { admin.declareAlerts($0) }
        if let token = configuration.alertsToken {
            let alerts = AlertRoutes(
                events: events, channels: telegram == nil ? [.email] : [.email, .telegram], token: token,
                telemetry: telemetry)
            app.routes(AlertRoutes.path) {
                $0.post("", .open, maxBodyBytes: AlertRoutes.maxBodyBytes, alerts.receive)
            }
        }

        app.on(OrderStatusChanged.self) { event, context in
            try await deliveries.insert(
                .init(
                    messageID: context.messageID, userID: event.userID, orderID: event.orderID,
                    subject: StatusLetter.subject(event), text: StatusLetter.text(event)), in: context.transaction)
        }
        app.onEveryEvent(queue: "audit") { event, context in
            try await audit.append(event, in: context.transaction)
        }
        app.every(milliseconds: 500, "send_deliveries") { try await sender.sendDue() }
        app.every(milliseconds: 1_000, "delivery_gauges") { try await sender.measure() }
        app.every(milliseconds: 3_600_000, "prune_alert_events") { try await events.prune() }
    }
}

/// Ends the threads that send mail.
private struct Postmen: Component {
    let name = "mail threads"
    let pool: WorkerPool
    func start() async throws {}
    func stop() async { pool.shutdown() }
}
