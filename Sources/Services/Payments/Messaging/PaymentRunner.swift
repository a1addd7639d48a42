internal import PaymentsContracts
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// Carries facts about orders out at the provider, in one transaction with the inbox and the outbox.
struct PaymentRunner: Sendable {
    let repository = PaymentRepository()
    let provider: PaymentProvider
    let telemetry: PaymentsTelemetry

    /// - Parameter order: owner and total, when the fact brings them.
    func take(
        _ fact: PaymentState.Fact, about orderID: String, order: (userID: String?, total: Money)?,
        _ context: MessageContext
    ) async throws {
        let known = try await repository.lock(orderID, in: context.transaction)
        switch PaymentState.step(from: known?.state, on: fact) {
        case .ignore: return
        case .contradiction: telemetry.noteContradiction(orderID: orderID)
        case .mark:
            let mark = Payment(
                id: Identifier.make(), orderID: orderID, userID: order?.userID, amount: .zero, state: .voided,
                reason: "not_charged")
            try await repository.insert(mark, in: context.transaction)
        case .perform(.authorize):
            guard let order else { throw PoisonMessage("an order without a total cannot be charged") }
            try await authorize(orderID, order, context)
        case .perform(let operation):
            guard let known else { return }
            try await settle(known, operation, context)
        }
    }

    private func authorize(
        _ orderID: String, _ order: (userID: String?, total: Money), _ context: MessageContext
    ) async throws {
        var payment = Payment(
            id: Identifier.make(), orderID: orderID, userID: order.userID, amount: order.total, state: .authorized,
            reason: nil)
        let answer = try await provider.perform(.authorize, orderID: orderID, amount: order.total)
        CrashPoint.reach("payments.after_provider")
        if case .declined(let reason) = answer {
            payment.state = .declined
            payment.reason = reason
        }
        try await repository.insert(payment, in: context.transaction)
        if let reason = payment.reason {
            try await context.publish(PaymentDeclined(orderID: orderID, reason: reason))
        } else {
            try await context.publish(
                PaymentAuthorized(orderID: orderID, paymentID: payment.id, amount: payment.amount))
        }
        telemetry.noteOperation(.authorize, isAccepted: payment.state == .authorized, payment: payment)
    }

    private func settle(
        _ known: Payment, _ operation: PaymentState.Operation, _ context: MessageContext
    ) async throws {
        var payment = known
        _ = try await provider.perform(operation, orderID: payment.orderID, amount: payment.amount)
        let settled = PaymentSettled(orderID: payment.orderID, paymentID: payment.id, amount: payment.amount)
        switch operation {
        case .authorize: return
        case .capture:
            payment.state = .captured
            try await context.publish(PaymentCaptured(settled))
        case .void:
            payment.state = .voided
            try await context.publish(PaymentVoided(settled))
        case .refund:
            payment.state = .refunded
            try await context.publish(PaymentRefunded(settled))
        }
        try await repository.update(payment, in: context.transaction)
        telemetry.noteOperation(operation, isAccepted: true, payment: payment)
    }
}
