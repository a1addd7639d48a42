internal import Configuration
internal import EventLoop
internal import Mail
internal import OrdersContracts
package import ServiceKit
internal import Telemetry

/// Tells customers how their orders go, and keeps the audit trail of every event.
package enum NotificationsService {
    package static let definition = ServiceDefinition(
        name: "notifications", summary: "e-mails customers, keeps the audit trail", port: 8005,
        database: "notifications_db", usesBroker: true,
        migrations: [
            Migration(1, "create_deliveries", PackageResources._001_create_deliveries_sql),
            Migration(2, "tell_more_of_deliveries", PackageResources._002_tell_more_of_deliveries_sql),
        ],
        consumes: [.to(OrderStatusChanged.self), .toEveryEvent(queue: "audit")],
        telemetry: NotificationsTelemetry.declarations,
        clients: [.init("mail client", MailTelemetry.declarations)]
    ) { app in
        let configuration = NotificationsConfiguration(app.configuration)
        let deliveries = DeliveryRepository(database: app.database)
        let audit = AuditLog(database: app.database)
        // Threads of its own: a mail server that hangs must not keep passwords of other services waiting.
        let postmen = WorkerPool(threads: DeliverySender.concurrency, name: "mail")
        app.component(Postmen(pool: postmen))
        let sender = DeliverySender(
            deliveries: deliveries, services: app.services,
            mail: MailClient(transport: configuration.transport, workers: postmen, telemetry: app.telemetry),
            from: configuration.from,
            schedule: DeliverySchedule(firstPauseMilliseconds: configuration.retryMilliseconds),
            telemetry: NotificationsTelemetry(app.telemetry), tracer: app.telemetry.tracer)

        let admin = AdminRoutes(audit: audit, deliveries: deliveries)
        app.routes("/api/v1/audit") { $0.get("", .admin, admin.listAudit) }
        app.routes("/api/v1/deliveries") { $0.get("", .admin, admin.listDeliveries) }

        app.on(OrderStatusChanged.self) { event, context in
            try await deliveries.insert(
                messageID: context.messageID, userID: event.userID, orderID: event.orderID,
                subject: StatusLetter.subject(event), text: StatusLetter.text(event), in: context.transaction)
        }
        app.onEveryEvent(queue: "audit") { event, context in
            try await audit.append(event, in: context.transaction)
        }
        app.every(milliseconds: 500, "send_deliveries") { try await sender.sendDue() }
    }
}

/// Ends the threads that send mail.
private struct Postmen: Component {
    let name = "mail threads"
    let pool: WorkerPool
    func start() async throws {}
    func stop() async { pool.shutdown() }
}
