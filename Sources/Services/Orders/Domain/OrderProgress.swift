internal import OrdersContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Moves orders along; every change is written together with its event.
struct OrderProgress: Sendable {
    let outbox: Outbox
    let repository: OrderRepository
    let telemetry: OrdersTelemetry

    private static let batch = 50

    /// Sets a status and tells everyone.
    func move(
        _ order: Order, to status: OrderStatus, reason: String? = nil, in transaction: PostgreSQLTransaction
    ) async throws -> Order {
        var moved = order
        moved.status = status
        moved.reason = reason
        moved.updatedAt = .now()
        try await repository.update(moved, in: transaction)
        try await outbox.append(
            OrderStatusChanged(
                orderID: order.id, userID: order.userID, status: status, previousStatus: order.status,
                total: order.total, reason: reason), in: transaction)
        let changed = moved
        transaction.afterCommit { [telemetry] in telemetry.noteChanged(changed) }
        return changed
    }

    /// Follows the one outcome of an order. What comes late, or twice, changes nothing.
    func follow(
        _ id: String, isCompleted: Bool, reason: String?, in transaction: PostgreSQLTransaction
    ) async throws {
        guard let order = try await repository.lock(id, in: transaction), order.status == .created else { return }
        _ = try await move(
            order, to: isCompleted ? .processing : .cancelled, reason: isCompleted ? nil : reason, in: transaction)
    }

    /// Calls an order off and tells warehouse, payments and processor.
    func cancel(_ order: Order, reason: String, in transaction: PostgreSQLTransaction) async throws -> Order {
        let cancelled = try await move(order, to: .cancelled, reason: reason, in: transaction)
        try await outbox.append(
            OrderCancelled(
                orderID: order.id, userID: order.userID, total: order.total, reason: reason,
                companyID: order.companyID), in: transaction)
        return cancelled
    }

    /// Advances orders that have stood in a status long enough.
    func advance(_ status: OrderStatus, afterMilliseconds: Int, in database: PostgreSQLClient) async throws {
        guard let next = OrderTransition.next(after: status) else { return }
        var count = Self.batch
        while count == Self.batch {
            try Task.checkCancellation()
            count = try await database.transaction { transaction in
                let due = try await repository.lockDue(
                    status, afterMilliseconds: afterMilliseconds, limit: Self.batch, in: transaction)
                for order in due { _ = try await move(order, to: next, in: transaction) }
                return due.count
            }
        }
    }
}
