/// The life of an order's reservation as a pure state machine. It only moves forward, so that facts may arrive twice
/// and in any order: an end that comes before the order itself leaves a mark, and nothing is ever set aside for it.
enum ReservationState: String, CaseIterable, Sendable {
    case reserved = "RESERVED"
    case rejected = "REJECTED"
    case committed = "COMMITTED"
    case released = "RELEASED"
    case returned = "RETURNED"

    /// What happened to the order.
    enum Fact: CaseIterable, Sendable {
        case created, completed, failed, cancelled
    }

    /// What a fact asks for.
    enum Step: Hashable, Sendable {
        /// Nothing: it was seen before, or came too late.
        case ignore
        case reserve
        case commit
        case release
        /// Goods that had left come back.
        case takeBack
        /// Remember that nothing must be set aside for this order.
        case mark
        /// An outcome that cannot be: the order completed although nothing is set aside.
        case contradiction
    }

    /// - Parameter state: nil when the order is not known yet.
    static func step(from state: ReservationState?, on fact: Fact) -> Step {
        switch (state, fact) {
        case (nil, .created): .reserve
        case (nil, .failed), (nil, .cancelled): .mark
        case (nil, .completed), (.rejected, .completed): .contradiction
        case (.reserved, .completed): .commit
        case (.reserved, .failed), (.reserved, .cancelled): .release
        case (.committed, .cancelled): .takeBack
        default: .ignore
        }
    }
}
