internal import Configuration
internal import OrdersContracts
internal import ProcessorContracts
package import ServiceKit

/// Accepts orders and follows them to their end.
package enum OrdersService {
    package static let definition = ServiceDefinition(
        name: "orders", summary: "accepts orders, follows them to delivery or cancellation", port: 8002,
        database: "order_db", usesBroker: true,
        migrations: [Migration(1, "create_orders", PackageResources._001_create_orders_sql)],
        consumes: [.to(OrderProcessed.self)],
        telemetry: OrdersTelemetry.declarations
    ) { app in
        let configuration = OrdersConfiguration(app.configuration)
        let telemetry = OrdersTelemetry(app.telemetry)
        let database = app.database
        let repository = OrderRepository()
        let progress = OrderProgress(outbox: app.outbox, repository: repository, telemetry: telemetry)
        let checkout = Checkout(
            database: database, outbox: app.outbox, repository: repository,
            prices: PriceBook(services: app.services, lifetimeSeconds: configuration.priceCacheSeconds),
            telemetry: telemetry)
        let routes = OrderRoutes(
            database: database, repository: repository, checkout: checkout, progress: progress)

        app.routes("/order-api/orders", errors: .detail, routes.declare)

        app.on(OrderProcessed.self) { event, context in
            try await progress.follow(
                event.orderID, isCompleted: event.status == .completed, reason: event.errorMessage,
                in: context.transaction)
        }

        app.invariant(
            .oneOutcome, "orders and their outcomes",
            OrderInvariants(database: database, outcomeSeconds: configuration.outcomeSeconds).undecided)
        app.every(milliseconds: 500, "ship_orders") {
            try await progress.advance(
                .processing, afterMilliseconds: configuration.shipAfterMilliseconds, in: database)
        }
        app.every(milliseconds: 500, "deliver_orders") {
            try await progress.advance(
                .shipping, afterMilliseconds: configuration.deliverAfterMilliseconds, in: database)
        }
    }
}
