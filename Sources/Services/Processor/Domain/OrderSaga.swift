/// The process manager of one order as a pure state machine: facts go in, in any order and any number of times; at
/// most one decision comes out.
///
/// A saga completes when stock is reserved and payment authorized; it fails on the first refusal, a cancellation or
/// its deadline. Once decided it never changes: what arrives later is noted and has no effect, because warehouse and
/// payments follow the decision by themselves.
struct OrderSaga: Hashable, Sendable {
    enum State: String, Sendable {
        /// An answer arrived before the order itself.
        case pending = "PENDING"
        case processing = "PROCESSING"
        case completed = "COMPLETED"
        case failed = "FAILED"
    }

    enum Answer: String, Sendable {
        case accepted = "ACCEPTED"
        case refused = "REFUSED"
    }

    enum Fact: Hashable, Sendable {
        case orderCreated
        case stockReserved
        case stockRejected
        case paymentAuthorized
        case paymentDeclined(reason: String)
        case orderCancelled
        case deadlinePassed

        /// For people.
        var name: String {
            switch self {
            case .orderCreated: "the order"
            case .stockReserved: "a reservation"
            case .stockRejected: "a lack of stock"
            case .paymentAuthorized: "an authorized payment"
            case .paymentDeclined: "a declined payment"
            case .orderCancelled: "a cancellation"
            case .deadlinePassed: "the deadline"
            }
        }
    }

    /// What everyone must follow.
    enum Decision: Hashable, Sendable {
        case complete
        /// A stable code: `out_of_stock`, `payment_declined`, `cancelled`, `timed_out`.
        case fail(reason: String)
    }

    private(set) var state = State.pending
    private(set) var stock: Answer?
    private(set) var payment: Answer?
    private(set) var reason: String?

    init() {}

    /// A saga as it was stored.
    init(state: State, stock: Answer?, payment: Answer?, reason: String?) {
        self.state = state
        self.stock = stock
        self.payment = payment
        self.reason = reason
    }

    var isDecided: Bool { state == .completed || state == .failed }

    /// Takes a fact.
    /// - Returns: the decision, when this fact brought it about.
    mutating func take(_ fact: Fact) -> Decision? {
        switch fact {
        case .orderCreated: if state == .pending { state = .processing }
        case .stockReserved: stock = stock ?? .accepted
        case .stockRejected: stock = stock ?? .refused
        case .paymentAuthorized: payment = payment ?? .accepted
        case .paymentDeclined: payment = payment ?? .refused
        case .orderCancelled, .deadlinePassed: break
        }
        guard !isDecided else { return nil }
        switch fact {
        case .orderCancelled: return fail("cancelled")
        case .deadlinePassed: return fail("timed_out")
        default: break
        }
        // Nothing is decided about an order that has not been seen: its owner and total are not known yet.
        guard state == .processing else { return nil }
        if stock == .refused { return fail("out_of_stock") }
        if payment == .refused { return fail("payment_declined") }
        guard stock == .accepted, payment == .accepted else { return nil }
        state = .completed
        return .complete
    }

    private mutating func fail(_ reason: String) -> Decision {
        state = .failed
        self.reason = reason
        return .fail(reason: reason)
    }
}
