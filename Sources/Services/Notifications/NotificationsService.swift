internal import Configuration
internal import HTTP
internal import HTTPCodec
internal import Mail
internal import OrdersContracts
package import ServiceKit

/// Tells customers how their orders go, and keeps the audit trail of every event.
package enum NotificationsService {
    package static let definition = ServiceDefinition(
        name: "notifications", summary: "e-mails customers, keeps the audit trail", port: 8005,
        database: "notifications_db", usesBroker: true,
        migrations: [Migration(1, "create_deliveries", PackageResources._001_create_deliveries_sql)],
        telemetry: NotificationsTelemetry.declarations
    ) { app in
        let configuration = NotificationsConfiguration(app.configuration)
        let telemetry = NotificationsTelemetry(app.telemetry)
        let deliveries = DeliveryRepository(database: app.database)
        let audit = AuditLog(database: app.database)
        let sender = DeliverySender(
            deliveries: deliveries, services: app.services,
            mail: MailClient(
                transport: configuration.transport, workers: app.workers, telemetry: app.telemetry),
            from: configuration.from, telemetry: telemetry)

        app.routes("/api/v1/audit") { routes in
            routes.get("", .admin) { request in
                guard let subject = request.query("subject"), subject.utf8.count <= 200 else {
                    throw HTTPError(
                        .unprocessableContent, "subject.missing", "name the subject, for example an order's id",
                        fields: [.init(["query", "subject"], "field required", type: "missing")])
                }
                let limit = try request.query("limit", default: 50, in: 1...200)
                let cursor = try request.query("cursor", default: 0, in: 0...Int.max)
                return try .json(try await audit.list(subject: subject, after: Int64(cursor), limit: limit))
            }
        }

        app.on(OrderStatusChanged.self) { event, context in
            try await deliveries.insert(
                messageID: context.messageID, userID: event.userID, subject: StatusLetter.subject(event),
                text: StatusLetter.text(event), in: context.transaction)
        }
        app.onEveryEvent(queue: "audit") { event, context in
            try await audit.append(event, in: context.transaction)
        }
        app.every(milliseconds: 500, "send_deliveries") { try await sender.sendDue() }
    }
}
