internal import HTTP
internal import HTTPCodec
internal import OrdersContracts
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// The HTTP side of orders.
struct OrderRoutes: Sendable {
    let database: PostgreSQLClient
    let repository: OrderRepository
    let checkout: Checkout
    let progress: OrderProgress

    private static let maxListed = 200

    func declare(_ routes: RouteGroup) {
        routes.get("/", .user, list).about("Your orders; everybody's for an admin")
            .query("limit", ["type": "integer", "minimum": 1, "maximum": .integer(Self.maxListed)])
            .answers([OrderView].self)
        routes.post("/", .user, place).about("Places an order")
            .header("Idempotency-Key", ["type": "string"], "Sent again with the same key, it is the same order.")
            .takes(CreateOrder.self).answers(OrderView.self).refuses(404, 409)
        routes.get("/statuses/list", .user, statuses).about("Every status with its label")
            .answers([String: String].self)
        routes.get("/{id}", .user, show).about("One order").answers(OrderView.self).refuses(403)
        routes.put("/{id}/status", .admin, setStatus).about("Moves an order on")
            .query(
                "status", ["type": "string", "enum": .array(OrderStatus.allCases.map { .string($0.rawValue) })],
                isRequired: true
            )
            .answers(OrderView.self).refuses(400)
        routes.put("/{id}/cancel", .user, cancel).about("Calls an order off")
            .answers(OrderView.self).refuses(400, 403)
    }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let limit = try request.query("limit", default: Self.maxListed, in: 1...Self.maxListed)
        let scope = OrderScope(userID: caller.isAdmin ? nil : caller.userID, companyID: caller.companyID)
        return try .json(try await repository.list(scope, limit: limit, in: database).map(\.view))
    }

    @Sendable private func place(_ request: Request) async throws -> HTTPResponse {
        let order: CreateOrder = try await request.json()
        return try .json(
            try await checkout.place(
                order, by: try request.caller(), idempotencyKey: request.header("idempotency-key")))
    }

    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        return try .json(try await visible(try request.uuid("id"), to: caller).view)
    }

    @Sendable private func statuses(_ request: Request) async throws -> HTTPResponse {
        try .json([
            OrderStatus.created.rawValue: "Created", OrderStatus.processing.rawValue: "Processing",
            OrderStatus.shipping.rawValue: "Shipping", OrderStatus.delivered.rawValue: "Delivered",
            OrderStatus.cancelled.rawValue: "Cancelled",
        ])
    }

    @Sendable private func setStatus(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let id = try request.uuid("id")
        guard let text = request.query("status"), let status = OrderStatus(rawValue: text) else {
            throw HTTPError(
                .unprocessableContent, "status.unknown", "status must be one of the known statuses",
                fields: [.init(["query", "status"], "unknown status", type: "enum")])
        }
        _ = try await visible(id, to: caller)
        let moved = try await database.transaction { [repository, progress] transaction in
            guard let order = try await repository.lock(id, in: transaction) else { throw Self.unknown }
            if order.status == status { return order }
            guard OrderTransition.isAllowed(from: order.status, to: status) else {
                let advice = order.status == .created ? ": wait until stock and payment are decided, or cancel it" : ""
                throw HTTPError(
                    .badRequest, "status.not_allowed",
                    "an order that is \(order.status.rawValue) cannot become \(status.rawValue)\(advice)")
            }
            if status == .cancelled {
                return try await progress.cancel(order, reason: "cancelled_by_shop", in: transaction)
            }
            return try await progress.move(order, to: status, in: transaction)
        }
        return try .json(moved.view)
    }

    @Sendable private func cancel(_ request: Request) async throws -> HTTPResponse {
        let id = try request.uuid("id")
        _ = try await visible(id, to: try request.caller())
        let cancelled = try await database.transaction { [repository, progress] transaction in
            guard let order = try await repository.lock(id, in: transaction) else { throw Self.unknown }
            guard OrderTransition.isCancellable(order.status) else {
                throw HTTPError(
                    .badRequest, "order.not_cancellable",
                    "an order that is \(order.status.rawValue) cannot be cancelled")
            }
            return try await progress.cancel(order, reason: "cancelled_by_customer", in: transaction)
        }
        return try .json(cancelled.view)
    }

    /// - Throws: 404 outside the caller's company, 403 for another's order.
    private func visible(_ id: String, to caller: Identity) async throws -> Order {
        guard let order = try await repository.find(id, companyID: caller.companyID, in: database) else {
            throw Self.unknown
        }
        guard caller.isAdmin || order.userID == caller.userID else {
            throw HTTPError(.forbidden, "order.not_yours", "this order belongs to somebody else")
        }
        return order
    }

    private static let unknown = HTTPError(.notFound, "order.unknown", "there is no such order")
}
