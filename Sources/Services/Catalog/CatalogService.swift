internal import CatalogContracts
internal import HTTP
internal import PostgreSQL
package import ServiceKit

/// The products of the shop.
package enum CatalogService {
    package static let definition = ServiceDefinition(
        name: "catalog", summary: "products, categories, prices; lists cached in Redis", port: 8000,
        database: "catalog_db", usesBroker: true,
        migrations: [
            Migration(1, "create_products", PackageResources._001_create_products_sql),
            Migration(2, "add_product_revision", PackageResources._002_add_product_revision_sql),
        ],
        caches: ["lists", "products"], telemetry: CatalogTelemetry.declarations
    ) { app in
        let telemetry = CatalogTelemetry(app.telemetry)
        let database = app.database
        let routes = ProductRoutes(
            database: database, products: ProductRepository(database: database),
            cache: ProductCache(
                lists: app.cache("lists", of: ProductPage.self), products: app.cache("products", of: ProductView.self)),
            outbox: app.outbox, telemetry: telemetry)

        app.routes("/api/products", errors: .detail, routes.declare)
        app.routes("/internal", routes.declareInternal)
        app.routes("/api/system", errors: .detail) { routes in
            routes.get("/health", .open) { _ in
                try await database.query("SELECT one", "SELECT 1")
                return try .json(["status": "healthy", "database": "connected"])
            }
            .about("Whether the catalog has its database").answers([String: String].self)
        }
    }
}
