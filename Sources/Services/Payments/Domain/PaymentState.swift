/// The life of one payment as a pure state machine. It only moves forward, so that facts may arrive twice and in any
/// order: an outcome that comes before the order itself leaves a mark that stops the order from being charged.
enum PaymentState: String, CaseIterable, Sendable {
    case authorized = "AUTHORIZED"
    case declined = "DECLINED"
    case captured = "CAPTURED"
    case voided = "VOIDED"
    case refunded = "REFUNDED"

    /// What happened to the order.
    enum Fact: CaseIterable, Sendable {
        case created, completed, failed, cancelled
    }

    /// What the provider must do.
    enum Operation: String, CaseIterable, Sendable {
        case authorize, capture, void, refund
    }

    /// What a fact asks for.
    enum Step: Hashable, Sendable {
        /// Nothing: it was seen before, or came too late.
        case ignore
        case perform(Operation)
        /// Remember that this order must never be charged.
        case mark
        /// An outcome that cannot be: the order completed although its payment is not held.
        case contradiction
    }

    /// - Parameter state: nil when the order is not known yet.
    static func step(from state: PaymentState?, on fact: Fact) -> Step {
        switch (state, fact) {
        case (nil, .created): .perform(.authorize)
        case (nil, .failed), (nil, .cancelled): .mark
        case (nil, .completed), (.declined, .completed): .contradiction
        case (.authorized, .completed): .perform(.capture)
        case (.authorized, .failed), (.authorized, .cancelled): .perform(.void)
        case (.captured, .cancelled): .perform(.refund)
        default: .ignore
        }
    }

    /// What the provider's answer makes of a payment.
    enum Outcome: Hashable, Sendable {
        case become(PaymentState)
        /// The provider is further than we knew, because an attempt of ours was cut off: this is the way from there.
        case performInstead(Operation)
        /// An answer that cannot be.
        case contradiction
    }

    /// - Parameter refusal: nil when the provider accepted.
    static func outcome(of operation: Operation, _ refusal: ProviderAccount.Refusal?) -> Outcome {
        switch (operation, refusal) {
        case (.authorize, nil): .become(.authorized)
        case (.authorize, _): .become(.declined)
        case (.capture, nil): .become(.captured)
        case (.capture, .alreadyVoided): .become(.voided)
        case (.void, nil): .become(.voided)
        case (.void, .alreadyCaptured): .performInstead(.refund)
        case (.refund, nil): .become(.refunded)
        default: .contradiction
        }
    }
}
