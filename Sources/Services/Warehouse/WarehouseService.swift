internal import CatalogContracts
internal import OrdersContracts
internal import ProcessorContracts
package import ServiceKit

/// Keeps the stock: sets aside, lets go, and books out what orders take.
package enum WarehouseService {
    package static let definition = ServiceDefinition(
        name: "warehouse", summary: "keeps stock: reserves, commits, releases", port: 8006, database: "wms_db",
        usesBroker: true,
        migrations: [
            Migration(1, "create_stock", PackageResources._001_create_stock_sql),
            Migration(2, "follow_catalog", PackageResources._002_follow_catalog_sql),
        ],
        consumes: [
            .to(ProductCreated.self), .to(ProductUpdated.self), .to(ProductDeleted.self), .to(OrderCreated.self),
            .to(OrderProcessed.self), .to(OrderCancelled.self),
        ],
        telemetry: WarehouseTelemetry.declarations
    ) { app in
        let telemetry = WarehouseTelemetry(app.telemetry)
        let stock = StockRepository(telemetry: telemetry)
        let routes = StockRoutes(database: app.database, stock: stock)
        let catalog = CatalogFollower(stock: stock, telemetry: telemetry)
        let orders = ReservationRunner(stock: stock, telemetry: telemetry)

        app.routes("/api/v1/stock-levels", routes.declare)
        app.routes("/internal/stock", routes.declareInternal)

        app.invariant(
            .stockAddsUp, "levels and movements", rows: StockInvariants.rows,
            StockInvariants(database: app.database).levels)

        app.on(ProductCreated.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(ProductUpdated.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(ProductDeleted.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(OrderCreated.self) { event, context in
            try await orders.take(.created, about: event.orderID, items: event.items, context)
        }
        app.on(OrderProcessed.self) { event, context in
            try await orders.take(event.status == .completed ? .completed : .failed, about: event.orderID, context)
        }
        app.on(OrderCancelled.self) { event, context in
            try await orders.take(.cancelled, about: event.orderID, context)
        }
    }
}
