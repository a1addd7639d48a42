internal import PaymentsContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Carries facts about orders out at the provider, in one transaction with the inbox and the outbox.
struct PaymentRunner: Sendable {
    let repository = PaymentRepository()
    let provider: PaymentProvider
    let telemetry: PaymentsTelemetry

    /// What a payment must know of its order.
    struct Details: Sendable {
        let userID: String
        let total: Money
        let companyID: String?
    }

    /// - Parameter order: details, when the fact brings them.
    func take(
        _ fact: PaymentState.Fact, about orderID: String, order: Details?, _ context: MessageContext
    ) async throws {
        let known = try await repository.lock(orderID, in: context.transaction)
        switch PaymentState.step(from: known?.state, on: fact) {
        case .ignore: return
        case .contradiction: telemetry.noteContradiction(orderID: orderID)
        case .mark: try await mark(orderID, order, context)
        case .perform(.authorize):
            guard let order else { throw PoisonMessage("an order without a total cannot be charged") }
            try await authorize(orderID, order, context)
        case .perform(let operation):
            guard let known else { return }
            try await settle(known, operation, context)
        }
    }

    /// An order that ended before it was heard of. An attempt to charge it may have been cut off after the provider
    /// held the money: the provider lets it go, and will hold none for this order again.
    private func mark(_ orderID: String, _ order: Details?, _ context: MessageContext) async throws {
        _ = try await provider.perform(.void, orderID: orderID, amount: .zero)
        CrashPoint.reach("payments.after_provider")
        let mark = Payment(
            id: Identifier.make(), orderID: orderID, userID: order?.userID, companyID: order?.companyID, amount: .zero,
            state: .voided, reason: "not_charged")
        try await repository.insert(mark, in: context.transaction)
        context.transaction.afterCommit { [telemetry] in telemetry.noteForestalled(mark) }
    }

    private func authorize(_ orderID: String, _ order: Details, _ context: MessageContext) async throws {
        let answer = try await provider.perform(.authorize, orderID: orderID, amount: order.total)
        CrashPoint.reach("payments.after_provider")
        let payment = Payment(
            id: Identifier.make(), orderID: orderID, userID: order.userID, companyID: order.companyID,
            amount: order.total, state: answer.refusal == nil ? .authorized : .declined,
            reason: answer.refusal?.rawValue)
        try await repository.insert(payment, in: context.transaction)
        try await announce(payment, context)
        context.transaction.afterCommit { [telemetry] in
            telemetry.noteOperation(.authorize, isAccepted: answer.refusal == nil, payment: payment)
        }
    }

    private func settle(
        _ known: Payment, _ operation: PaymentState.Operation, _ context: MessageContext
    ) async throws {
        let answer = try await provider.perform(operation, orderID: known.orderID, amount: known.amount)
        CrashPoint.reach("payments.after_provider")
        switch PaymentState.outcome(of: operation, answer.refusal) {
        case .contradiction: telemetry.noteContradiction(orderID: known.orderID)
        case .performInstead(let next): try await settle(known, next, context)
        case .become(let state):
            var moved = known
            moved.state = state
            let payment = moved
            try await repository.update(payment, in: context.transaction)
            try await announce(payment, context)
            context.transaction.afterCommit { [telemetry] in
                telemetry.noteOperation(operation, isAccepted: answer.refusal == nil, payment: payment)
            }
        }
    }

    private func announce(_ payment: Payment, _ context: MessageContext) async throws {
        let settled = PaymentSettled(orderID: payment.orderID, paymentID: payment.id, amount: payment.amount)
        switch payment.state {
        case .authorized:
            try await context.publish(
                PaymentAuthorized(orderID: payment.orderID, paymentID: payment.id, amount: payment.amount))
        case .declined:
            try await context.publish(PaymentDeclined(orderID: payment.orderID, reason: payment.reason ?? ""))
        case .captured: try await context.publish(PaymentCaptured(settled))
        case .voided: try await context.publish(PaymentVoided(settled))
        case .refunded: try await context.publish(PaymentRefunded(settled))
        }
    }
}
