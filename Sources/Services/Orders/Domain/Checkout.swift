internal import FoundationEssentials
internal import HTTPCodec
internal import OrdersContracts
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// Accepts an order: checked, priced, and written together with its event in one transaction.
struct Checkout: Sendable {
    let database: PostgreSQLClient
    let outbox: Outbox
    let repository: OrderRepository
    let prices: PriceBook
    let telemetry: OrdersTelemetry

    private static let maxKeyBytes = 128

    /// - Parameter idempotencyKey: the same key with the same order gives the first answer again.
    /// - Throws: `HTTPError`.
    func place(_ request: CreateOrder, by caller: Identity, idempotencyKey: String?) async throws -> OrderView {
        if let key = idempotencyKey, key.isEmpty || key.utf8.count > Self.maxKeyBytes {
            throw HTTPError(
                .badRequest, "idempotency_key.invalid", "Idempotency-Key must have 1 to \(Self.maxKeyBytes) bytes")
        }
        try OrderRules.check(request)
        let digest = Self.digest(of: request)
        if let key = idempotencyKey,
            let known = try await repository.find(idempotencyKey: key, userID: caller.userID, in: database)
        {
            return try Self.same(known, digest)
        }
        let items = try await priced(request.items, for: caller)
        let now = Timestamp.now()
        let order = Order(
            id: Identifier.make(), userID: caller.userID, companyID: caller.companyID, items: items,
            total: request.total, status: .created, createdAt: now, updatedAt: now, requestDigest: digest)
        let isNew = try await database.transaction { [outbox, repository] transaction in
            guard try await repository.insert(order, idempotencyKey: idempotencyKey, in: transaction) else {
                return false
            }
            try await outbox.append(
                OrderCreated(
                    orderID: order.id, userID: order.userID, items: order.items, total: order.total,
                    createdAt: order.createdAt, companyID: order.companyID), in: transaction)
            return true
        }
        CrashPoint.reach("orders.after_commit")
        guard isNew else {
            // Another request with the same key was faster.
            guard let key = idempotencyKey,
                let known = try await repository.find(idempotencyKey: key, userID: caller.userID, in: database)
            else { throw HTTPError(.conflict, "order.conflict", "the order was placed by another request: try again") }
            return try Self.same(known, digest)
        }
        telemetry.noteAccepted(order)
        return order.view
    }

    /// The items at the catalog's prices. A remembered price never refuses an order: the catalog itself is asked first.
    private func priced(_ items: [OrderItem], for caller: Identity) async throws -> [OrderItem] {
        let ids = items.map { $0.productID.lowercased() }
        let remembered = try await prices.products(ids, for: caller)
        if let priced = try? OrderRules.priced(items, with: remembered) { return priced }
        return try OrderRules.priced(items, with: try await prices.currentProducts(ids, for: caller))
    }

    private static func same(_ known: Order, _ digest: String) throws -> OrderView {
        guard known.requestDigest == digest else {
            throw HTTPError(
                .unprocessableContent, "idempotency_key.reused",
                "this Idempotency-Key was used for another order: take a new one")
        }
        return known.view
    }

    private static func digest(of request: CreateOrder) -> String {
        let lines = request.items.map { "\($0.productID.lowercased()) \($0.price) \($0.quantity)" }.sorted()
        return Crypto.sha256Hex(lines.joined(separator: "\n") + "\n\(request.total)")
    }
}
