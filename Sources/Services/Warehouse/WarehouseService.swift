internal import CatalogContracts
internal import Models
internal import OrdersContracts
internal import ProcessorContracts
internal import PurchaseContracts
package import ServiceKit
internal import UsersContracts

/// Keeps the stock: where goods lie, what work moves them, and what orders set aside, let go and take.
package enum WarehouseService {
    package static let definition = ServiceDefinition(
        name: "warehouse", summary: "keeps stock: locations, operations, reservations", port: 8006, database: "wms_db",
        usesBroker: true,
        migrations: [
            Migration(1, "create_stock", PackageResources._001_create_stock_sql),
            Migration(2, "follow_catalog", PackageResources._002_follow_catalog_sql),
            Migration(
                3, "create_locations_and_operations", PackageResources._003_create_locations_and_operations_sql),
        ],
        consumes: [
            .to(ProductCreated.self), .to(ProductUpdated.self), .to(ProductDeleted.self), .to(OrderCreated.self),
            .to(OrderProcessed.self), .to(OrderCancelled.self), .to(GoodsReceived.self),
            .to(PermissionsChanged.self),
        ],
        telemetry: WarehouseTelemetry.declarations
    ) { app in
        let telemetry = WarehouseTelemetry(app.telemetry)
        let stock = StockRepository()
        let journal = StockJournal(stock: stock, telemetry: telemetry)
        offer(Models(app), PermissionDirectory.ofUsers(app), journal)
        app.routes("/internal/stock", StockRoutes(database: app.database, stock: stock).declare)
        consume(app, stock, journal, telemetry)
        app.invariant(
            .stockAddsUp, "levels and movements", rows: StockInvariants.rows,
            StockInvariants(database: app.database).levels)
    }

    private static func offer(_ models: Models, _ permissions: PermissionDirectory, _ journal: StockJournal) {
        let roles = ["admin", "manager", "superuser"]
        let staff = permissions.access("warehouse.write", or: roles)
        let readers = permissions.access("warehouse.read", or: roles)
        models.resource(Location.self, at: "/api/v1/locations", .reading(readers, writing: staff))
        models.resource(StockLevel.self, at: "/api/v1/stock-levels", .reading(readers, writing: nil))
        models.resource(LocationLevel.self, at: "/api/v1/location-levels", .reading(readers, writing: nil))
        models.resource(StockMovement.self, at: "/api/v1/stock-movements", .reading(readers, writing: nil))
        models.resource(OrderReservation.self, at: "/api/v1/reservations", .reading(readers, writing: nil))

        let operations = models.resource(
            Operation.self, at: "/api/v1/operations", .reading(readers, writing: staff)
        ) { operations in
            operations.hooks.beforeUpdate = { old, new, _ in
                if old.state == new.state { try old.requireDraft() }
            }
            operations.hooks.beforeDelete = { operation, _ in try operation.requireDraft() }
            operations.action("complete", staff, "Carries a draft out: the stock moves") { operation, context in
                try await journal.complete(&operation, in: context.transaction)
            }
            operations.action("cancel", staff, "Gives a draft up") { operation, _ in
                try operation.move(to: .cancelled)
            }
        }

        // The operation is held while its lines change, so that it is not carried out meanwhile.
        @Sendable func requireDraft(_ line: OperationLine, _ context: HookContext) async throws {
            _ = try await operations.update(line.operationID, as: context.caller, in: context.transaction) {
                try $0.requireDraft()
            }
        }
        models.resource(
            OperationLine.self, at: "/api/v1/operation-lines", .reading(readers, writing: staff)
        ) { lines in
            lines.hooks.afterCreate = requireDraft
            lines.hooks.afterUpdate = { _, line, context in try await requireDraft(line, context) }
            lines.hooks.beforeDelete = requireDraft
        }
    }

    private static func consume(
        _ app: Application, _ stock: StockRepository, _ journal: StockJournal, _ telemetry: WarehouseTelemetry
    ) {
        let catalog = CatalogFollower(stock: stock, journal: journal, telemetry: telemetry)
        let orders = ReservationRunner(stock: stock, journal: journal, telemetry: telemetry)
        let goods = GoodsReceiver(stock: stock, journal: journal)
        app.on(ProductCreated.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(ProductUpdated.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(ProductDeleted.self) { try await catalog.take(CatalogNews($0), $1) }
        app.on(OrderCreated.self) { event, context in
            try await orders.take(
                .created, about: event.orderID, items: event.items, companyID: event.companyID, context)
        }
        app.on(OrderProcessed.self) { event, context in
            try await orders.take(event.status == .completed ? .completed : .failed, about: event.orderID, context)
        }
        app.on(OrderCancelled.self) { event, context in
            try await orders.take(.cancelled, about: event.orderID, context)
        }
        app.on(GoodsReceived.self) { try await goods.take($0, $1) }
    }
}
