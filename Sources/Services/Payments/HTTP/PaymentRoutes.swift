internal import HTTP
internal import HTTPCodec
internal import PaymentsContracts
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// The HTTP side of payments: an order's payment, for its owner and for administrators of the same tenant.
struct PaymentRoutes: Sendable {
    let database: PostgreSQLClient

    func declare(_ routes: RouteGroup) {
        routes.get("", .user, show).about("The payment of an order")
            .query("order_id", ["type": "string", "format": "uuid"], isRequired: true)
            .answers(PaymentView.self).refuses(404)
    }

    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        guard let orderID = request.query("order_id").flatMap(Identifier.normalized) else {
            throw HTTPError(
                .unprocessableContent, "order_id.invalid", "order_id must be the UUID of an order",
                fields: [.init(["query", "order_id"], "must be a UUID", type: "uuid_parsing")])
        }
        let payment = try await PaymentRepository.find(
            orderID: orderID, owner: caller.isAdmin ? nil : caller.userID, companyID: caller.companyID, in: database)
        guard let payment else { throw HTTPError(.notFound, "payment.unknown", "there is no such payment") }
        return try .json(payment.view)
    }
}
