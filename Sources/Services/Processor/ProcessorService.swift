internal import Configuration
internal import OrdersContracts
internal import PaymentsContracts
internal import PostgreSQL
package import ServiceKit
internal import Telemetry
internal import WarehouseContracts

/// The process manager of orders: joins the answers of warehouse and payments, and publishes the one outcome.
package enum ProcessorService {
    package static let definition = ServiceDefinition(
        name: "processor", summary: "decides orders: joins stock and payment, compensates, times out", port: 8003,
        database: "processor_db", usesBroker: true,
        migrations: [
            Migration(1, "create_processing_records", PackageResources._001_create_processing_records_sql)
        ],
        consumes: [
            .to(OrderCreated.self), .to(StockReserved.self), .to(StockRejected.self), .to(PaymentAuthorized.self),
            .to(PaymentDeclined.self), .to(OrderCancelled.self),
        ],
        telemetry: ProcessorTelemetry.declarations
    ) { app in
        let configuration = ProcessorConfiguration(app.configuration)
        let telemetry = ProcessorTelemetry(app.telemetry)
        let runner = SagaRunner(
            records: ProcessingRecords(sagaTimeoutMilliseconds: configuration.sagaTimeoutMilliseconds),
            outbox: app.outbox, telemetry: telemetry)

        app.on(OrderCreated.self) { event, context in
            try await runner.take(
                .orderCreated, about: event.orderID,
                details: .init(userID: event.userID, total: event.total, companyID: event.companyID),
                in: context.transaction)
        }
        app.on(StockReserved.self) { event, context in
            try await runner.take(.stockReserved, about: event.orderID, in: context.transaction)
        }
        app.on(StockRejected.self) { event, context in
            try await runner.take(.stockRejected, about: event.orderID, in: context.transaction)
        }
        app.on(PaymentAuthorized.self) { event, context in
            try await runner.take(.paymentAuthorized, about: event.orderID, in: context.transaction)
        }
        app.on(PaymentDeclined.self) { event, context in
            try await runner.take(
                .paymentDeclined(reason: event.reason), about: event.orderID, in: context.transaction)
        }
        app.on(OrderCancelled.self) { event, context in
            try await runner.take(
                .orderCancelled, about: event.orderID,
                details: .init(userID: event.userID, total: event.total, companyID: event.companyID),
                in: context.transaction)
        }

        let database = app.database
        app.invariant(.oneOutcome, "decisions", ProcessingInvariants(database: database).decisions)
        app.every(milliseconds: 1_000, "saga_timeouts") { try await runner.failOverdue(database) }
        app.every(milliseconds: 5_000, "saga_gauges") {
            let open = try await ProcessingRecords.open(database)
            telemetry.open.set(Double(open.count))
            telemetry.oldest.set(open.oldestSeconds)
        }
    }
}
