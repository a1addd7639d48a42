import HTTP
import HTTPCodec
import Models
import Purchase
import ServiceKit

/// A model as one service keeps it and another reads it.
enum ModelServices {
    /// Suppliers in PostgreSQL, with the routes that every resource has; and `/local/{id}`, which reads a row as code of
    /// this service would.
    static let keeper = ServiceDefinition(
        name: "keeper", summary: "keeps suppliers", port: 0, database: "keeper_db",
        migrations: Array(PurchaseService.definition.migrations.prefix(1))
    ) { app in
        let suppliers = Models(app).resource(Supplier.self, at: path, .reading(.user, writing: nil))
        app.routes("/local") { $0.get("/{id}", .user) { try await answer($0, suppliers) } }
    }

    /// The same model over HTTP: `/remote/{id}`. What it costs more than `/local/{id}`, with the keeper in the same
    /// process, is a remote manager and all that the keeper does to answer it.
    static let reader = ServiceDefinition(
        name: "reader", summary: "reads suppliers that another service keeps", port: 0
    ) { app in
        let suppliers = Models(app).remote(Supplier.self, service: "keeper", path: path)
        app.routes("/remote") { $0.get("/{id}", .user) { try await answer($0, suppliers) } }
    }

    private static let path = "/api/v1/suppliers"

    private static func answer(_ request: Request, _ suppliers: Manager<Supplier>) async throws -> HTTPResponse {
        guard let id = ID(request.parameter("id")) else { return .empty(.notFound) }
        let supplier = try await suppliers.get(id, as: Caller(try request.caller()))
        return .json(bytes: Supplier.schema.json(supplier))
    }
}
