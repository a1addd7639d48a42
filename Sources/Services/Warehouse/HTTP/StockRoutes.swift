internal import HTTP
internal import HTTPCodec
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// The HTTP side of the warehouse: levels for staff, one product's for other services.
struct StockRoutes: Sendable {
    let database: PostgreSQLClient
    let stock: StockRepository

    private static let defaultListed = 50
    private static let maxListed = 200

    func declare(_ routes: RouteGroup) { routes.get("", .roles(["admin", "manager"]), list) }

    func declareInternal(_ routes: RouteGroup) { routes.get("/{product_id}", .user, show) }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        let companyID = try request.caller().companyID
        if let text = request.query("product_id") {
            guard let id = Identifier.normalized(text) else {
                throw HTTPError.invalid(["query", "product_id"], "Input should be a valid UUID", type: "uuid_parsing")
            }
            let level = try await stock.level(of: id, companyID: companyID, in: database)
            return try .json(level.map { [$0.view] } ?? [])
        }
        let limit = try request.query("limit", default: Self.defaultListed, in: 1...Self.maxListed)
        return try .json(try await stock.list(limit: limit, companyID: companyID, in: database).map(\.view))
    }

    /// What can be ordered: nothing is told of a product that has left the catalog.
    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let level = try await stock.level(
            of: try request.uuid("product_id"), companyID: try request.caller().companyID, in: database)
        guard let level, !level.isDiscontinued else {
            throw HTTPError(.notFound, "product.unknown", "there is no such product")
        }
        return try .json(level.view)
    }
}
