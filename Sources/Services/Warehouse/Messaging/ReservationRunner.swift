internal import OrdersContracts
internal import PostgreSQL
internal import ServiceKit
internal import WarehouseContracts

/// Carries facts about orders out on the stock, in one transaction with the inbox and the outbox.
struct ReservationRunner: Sendable {
    let reservations = ReservationRepository()
    let stock: StockRepository
    let telemetry: WarehouseTelemetry

    /// - Parameter items: of the order, when the fact brings them.
    func take(
        _ fact: ReservationState.Fact, about orderID: String, items: [OrderItem] = [], _ context: MessageContext
    ) async throws {
        let known = try await reservations.lock(orderID, in: context.transaction)
        switch ReservationState.step(from: known?.state, on: fact) {
        case .ignore: return
        case .contradiction: telemetry.noteContradiction(orderID: orderID)
        case .mark:
            try await reservations.insert(
                Reservation(orderID: orderID, state: .released, lines: []), in: context.transaction)
            telemetry.noteForestalled(orderID: orderID)
        case .reserve: try await reserve(orderID, items, context)
        case .commit: try await settle(known, to: .committed, context)
        case .release: try await settle(known, to: .released, context)
        case .takeBack: try await settle(known, to: .returned, context)
        }
    }

    /// All lines or none.
    private func reserve(_ orderID: String, _ items: [OrderItem], _ context: MessageContext) async throws {
        let plan = ReservationPlan(items.map { StockLine(productID: $0.productID, quantity: $0.quantity) })
        let missing = plan.missing(in: try await stock.lock(plan.lines.map(\.productID), in: context.transaction))
        guard missing.isEmpty else {
            try await reservations.insert(
                Reservation(orderID: orderID, state: .rejected, lines: []), in: context.transaction)
            try await context.publish(
                StockRejected(orderID: orderID, reason: "out_of_stock", productIDs: missing))
            telemetry.noteState(.rejected, orderID: orderID)
            return
        }
        for line in plan.lines { try await stock.reserve(line, in: context.transaction) }
        try await reservations.insert(
            Reservation(orderID: orderID, state: .reserved, lines: plan.lines), in: context.transaction)
        try await context.publish(StockReserved(orderID: orderID))
        telemetry.noteState(.reserved, orderID: orderID)
    }

    private func settle(
        _ known: Reservation?, to state: ReservationState, _ context: MessageContext
    ) async throws {
        guard var reservation = known else { return }
        _ = try await stock.lock(reservation.lines.map(\.productID), in: context.transaction)
        for line in reservation.lines {
            switch state {
            case .committed: try await stock.commit(line, orderID: reservation.orderID, in: context.transaction)
            case .returned: try await stock.takeBack(line, orderID: reservation.orderID, in: context.transaction)
            default: try await stock.release(line, in: context.transaction)
            }
        }
        reservation.state = state
        try await reservations.update(reservation, in: context.transaction)
        if state == .committed {
            try await context.publish(StockCommitted(orderID: reservation.orderID))
        } else {
            try await context.publish(StockReleased(orderID: reservation.orderID))
        }
        telemetry.noteState(state, orderID: reservation.orderID)
    }
}
