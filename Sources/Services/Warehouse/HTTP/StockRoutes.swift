internal import HTTP
internal import HTTPCodec
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// What other services ask the warehouse: how much of one product can be ordered.
struct StockRoutes: Sendable {
    let database: PostgreSQLClient
    let stock: StockRepository

    func declare(_ routes: RouteGroup) { routes.get("/{product_id}", .user, show) }

    /// Nothing is told of a product that has left the catalog.
    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let level = try await stock.level(
            of: try request.uuid("product_id"), companyID: try request.caller().companyID, in: database)
        guard let level, !level.isDiscontinued else {
            throw HTTPError(.notFound, "product.unknown", "there is no such product")
        }
        return try .json(level.view)
    }
}
