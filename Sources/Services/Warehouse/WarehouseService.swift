internal import CatalogContracts
internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import PostgreSQL
internal import ProcessorContracts
package import ServiceKit
internal import Values

/// Keeps the stock: sets aside, lets go, and books out what orders take.
package enum WarehouseService {
    package static let definition = ServiceDefinition(
        name: "warehouse", summary: "keeps stock: reserves, commits, releases", port: 8006, database: "wms_db",
        usesBroker: true, migrations: [Migration(1, "create_stock", PackageResources._001_create_stock_sql)],
        telemetry: WarehouseTelemetry.declarations
    ) { app in
        let database = app.database
        let stock = StockRepository()
        let runner = ReservationRunner(telemetry: WarehouseTelemetry(app.telemetry))

        app.routes("/api/v1/stock-levels") { routes in
            routes.get("", .roles(["admin", "manager"])) { request in
                if let text = request.query("product_id") {
                    guard let id = Identifier.normalized(text) else { throw unknownProduct }
                    let level = try await StockRepository.level(of: id, in: database)
                    return try .json(level.map { [$0] } ?? [])
                }
                let limit = try request.query("limit", default: 50, in: 1...200)
                return try .json(try await StockRepository.list(limit: limit, in: database))
            }
        }
        app.routes("/internal/stock") { routes in
            routes.get("/{product_id}", .user) { request in
                guard let level = try await StockRepository.level(of: try request.uuid("product_id"), in: database)
                else { throw unknownProduct }
                return try .json(level)
            }
        }

        app.on(ProductCreated.self) { event, context in
            try await stock.create(
                event.productID, name: event.name, onHand: event.stockCount, in: context.transaction)
        }
        app.on(ProductUpdated.self) { event, context in
            if let count = event.stockCount {
                try await stock.adjust(event.productID, name: event.name, to: count, in: context.transaction)
            } else {
                try await stock.rename(event.productID, to: event.name, in: context.transaction)
            }
        }
        app.on(OrderCreated.self) { event, context in
            try await runner.take(.created, about: event.orderID, items: event.items, context)
        }
        app.on(OrderProcessed.self) { event, context in
            try await runner.take(event.status == .completed ? .completed : .failed, about: event.orderID, context)
        }
        app.on(OrderCancelled.self) { event, context in
            try await runner.take(.cancelled, about: event.orderID, context)
        }
    }

    private static let unknownProduct = HTTPError(.notFound, "product.unknown", "there is no such product")
}
