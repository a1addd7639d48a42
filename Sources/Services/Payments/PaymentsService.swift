internal import Configuration
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import PaymentsContracts
internal import PostgreSQL
internal import ProcessorContracts
internal import Security
package import ServiceKit
internal import Values

/// Authorizes, captures, voids and refunds the payments of orders, each at most once.
package enum PaymentsService {
    package static let definition = ServiceDefinition(
        name: "payments", summary: "authorizes, captures, voids and refunds, each once", port: 8004,
        database: "payment_db", usesBroker: true,
        migrations: [Migration(1, "create_payments", PackageResources._001_create_payments_sql)],
        telemetry: PaymentsTelemetry.declarations
    ) { app in
        let configuration = PaymentsConfiguration(app.configuration)
        let database = app.database
        let runner = PaymentRunner(
            provider: PaymentProvider(
                database: app.makeDatabaseClient(poolSizePerLoop: 4), declineAbove: configuration.declineAbove),
            telemetry: PaymentsTelemetry(app.telemetry))

        app.routes("/api/v1/payments") { routes in
            routes.get("", .user) { request in
                let caller = try request.caller()
                guard let orderID = request.query("order_id").flatMap(Identifier.normalized) else {
                    throw HTTPError(
                        .unprocessableContent, "order_id.invalid", "order_id must be the UUID of an order",
                        fields: [.init(["query", "order_id"], "must be a UUID", type: "uuid_parsing")])
                }
                let payment = try await PaymentRepository.view(
                    orderID: orderID, owner: caller.isAdmin ? nil : caller.userID, in: database)
                guard let payment else { throw HTTPError(.notFound, "payment.unknown", "there is no such payment") }
                return try .json(payment)
            }
        }

        app.on(OrderCreated.self) { event, context in
            try await runner.take(.created, about: event.orderID, order: (event.userID, event.total), context)
        }
        app.on(OrderProcessed.self) { event, context in
            try await runner.take(
                event.status == .completed ? .completed : .failed, about: event.orderID, order: nil, context)
        }
        app.on(OrderCancelled.self) { event, context in
            try await runner.take(.cancelled, about: event.orderID, order: (event.userID, event.total), context)
        }
    }
}
