internal import Configuration
internal import OrdersContracts
internal import PostgreSQL
internal import ProcessorContracts
package import ServiceKit

/// Authorizes, captures, voids and refunds the payments of orders, each at most once.
package enum PaymentsService {
    package static let definition = ServiceDefinition(
        name: "payments", summary: "authorizes, captures, voids and refunds, each once", port: 8004,
        database: "payment_db", usesBroker: true,
        migrations: [
            Migration(1, "create_payments", PackageResources._001_create_payments_sql),
            Migration(2, "add_provider_reasons", PackageResources._002_add_provider_reasons_sql),
        ],
        consumes: [.to(OrderCreated.self), .to(OrderProcessed.self), .to(OrderCancelled.self)],
        telemetry: PaymentsTelemetry.declarations
    ) { app in
        let configuration = PaymentsConfiguration(app.configuration)
        let runner = PaymentRunner(
            provider: PaymentProvider(
                database: app.makeDatabaseClient(poolSizePerLoop: 4), declineAbove: configuration.declineAbove,
                faults: app.faults),
            telemetry: PaymentsTelemetry(app.telemetry))

        app.routes("/api/v1/payments", PaymentRoutes(database: app.database).declare)

        app.invariant(
            .chargedOnce, "payments and the provider's ledger", PaymentInvariants(database: app.database).charges)

        app.on(OrderCreated.self) { event, context in
            try await runner.take(
                .created, about: event.orderID,
                order: .init(userID: event.userID, total: event.total, companyID: event.companyID), context)
        }
        app.on(OrderProcessed.self) { event, context in
            try await runner.take(
                event.status == .completed ? .completed : .failed, about: event.orderID, order: nil, context)
        }
        app.on(OrderCancelled.self) { event, context in
            try await runner.take(
                .cancelled, about: event.orderID,
                order: .init(userID: event.userID, total: event.total, companyID: event.companyID), context)
        }
    }
}
