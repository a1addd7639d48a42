internal import OrdersContracts
internal import PostgreSQL
internal import ServiceKit
internal import WarehouseContracts

/// Carries facts about orders out on the stock, in one transaction with the inbox and the outbox.
struct ReservationRunner: Sendable {
    let reservations = ReservationRepository()
    let stock: StockRepository
    let journal: StockJournal
    let telemetry: WarehouseTelemetry

    /// - Parameters: items: of the order, when the fact brings them. - companyID: whose order it is, then.
    func take(
        _ fact: ReservationState.Fact, about orderID: String, items: [OrderItem] = [], companyID: String? = nil,
        _ context: MessageContext
    ) async throws {
        let known = try await reservations.lock(orderID, in: context.transaction)
        switch ReservationState.step(from: known?.state, on: fact) {
        case .ignore: return
        case .contradiction: telemetry.noteContradiction(orderID: orderID)
        case .mark:
            try await reservations.insert(
                Reservation(orderID: orderID, state: .released, lines: []), in: context.transaction)
            telemetry.noteForestalled(orderID: orderID)
        case .reserve: try await reserve(orderID, items, companyID, context)
        case .commit: try await settle(known, to: .committed, context)
        case .release: try await settle(known, to: .released, context)
        case .takeBack: try await settle(known, to: .returned, context)
        }
    }

    /// All lines or none, of the company's own stock: what another's has is not there.
    private func reserve(
        _ orderID: String, _ items: [OrderItem], _ companyID: String?, _ context: MessageContext
    ) async throws {
        let plan = ReservationPlan(items.map { StockLine(productID: $0.productID, quantity: $0.quantity) })
        let levels = try await stock.lock(plan.lines.map(\.productID), in: context.transaction)
            .filter { $0.value.companyID == companyID }
        let missing = plan.missing(in: levels)
        guard missing.isEmpty else {
            try await reservations.insert(
                Reservation(orderID: orderID, state: .rejected, lines: [], companyID: companyID),
                in: context.transaction)
            try await context.publish(
                StockRejected(orderID: orderID, reason: "out_of_stock", productIDs: missing))
            telemetry.noteState(.rejected, orderID: orderID)
            return
        }
        for line in plan.lines { try await stock.reserve(line, in: context.transaction) }
        try await reservations.insert(
            Reservation(orderID: orderID, state: .reserved, lines: plan.lines, companyID: companyID),
            in: context.transaction)
        try await context.publish(StockReserved(orderID: orderID))
        telemetry.noteState(.reserved, orderID: orderID)
    }

    private func settle(
        _ known: Reservation?, to state: ReservationState, _ context: MessageContext
    ) async throws {
        guard var reservation = known else { return }
        let levels = try await stock.lock(reservation.lines.map(\.productID), in: context.transaction)
        if state != .returned {
            for line in reservation.lines { try await stock.release(line, in: context.transaction) }
        }
        if state != .released { try await move(reservation, to: state, levels, context) }
        reservation.state = state
        try await reservations.update(reservation, in: context.transaction)
        if state == .committed {
            try await context.publish(StockCommitted(orderID: reservation.orderID))
        } else {
            try await context.publish(StockReleased(orderID: reservation.orderID))
        }
        telemetry.noteState(state, orderID: reservation.orderID)
    }

    /// What was set aside leaves from where it lies; what comes back goes to the main location.
    private func move(
        _ reservation: Reservation, to state: ReservationState, _ levels: [String: ProductStock],
        _ context: MessageContext
    ) async throws {
        let shelves = try await stock.shelves(reservation.lines.map(\.productID), in: context.transaction)
        // An order's products may be of several companies; each keeps its own documents.
        for (companyID, lines) in Dictionary(
            grouping: reservation.lines, by: { levels[$0.productID]?.companyID })
        {
            let document = StockJournal.Document(
                kind: state == .committed ? .pick : .receive, reason: state == .committed ? .sold : .returned,
                companyID: companyID, sourceID: reservation.orderID, orderID: reservation.orderID)
            let postings: [Posting]
            if state == .committed {
                postings = lines.flatMap { StockPlan.draw($0.quantity, of: $0.productID, from: shelves) }
            } else {
                let main = try await stock.mainLocation(of: companyID, in: context.transaction)
                postings = lines.map { StockPlan.put($0.quantity, of: $0.productID, at: main, shelves) }
            }
            try await journal.record(document, postings, in: context.transaction)
        }
    }
}
