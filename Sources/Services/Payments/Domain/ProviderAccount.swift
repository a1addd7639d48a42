internal import Values

/// One order's account at the simulated provider, as a pure state machine: what real providers promise to whoever
/// repeats a call after a crash, or asks for things that contradict each other.
///
/// Each operation happens once; asked again, it gives the first answer. What was let go is never held or taken, and
/// what was taken can be given back only. Its one rule of business: an amount above the limit is declined.
struct ProviderAccount: Hashable, Sendable {
    typealias Operation = PaymentState.Operation

    /// Why the provider refuses; stable codes.
    enum Refusal: String, Error, CaseIterable, Sendable {
        case limitExceeded = "limit_exceeded"
        case alreadyVoided = "already_voided"
        case alreadyCaptured = "already_captured"
        case nothingHeld = "nothing_held"
        case nothingCaptured = "nothing_captured"
    }

    struct Entry: Hashable, Sendable {
        let operation: Operation
        /// What was held, taken, let go or given back; what was asked for when it was refused.
        let amount: Money
        /// Nil when it was accepted.
        let refusal: Refusal?
    }

    private(set) var entries: [Operation: Entry] = [:]

    /// An account as it stands in the provider's books.
    init(_ entries: [Entry] = []) {
        for entry in entries { self.entries[entry.operation] = entry }
    }

    /// Performs an operation, once.
    /// - Parameters: amount: what to hold; the other operations move all of what there is. - limit: above which nothing
    ///   is held.
    /// - Returns: the entry of its first time.
    mutating func perform(_ operation: Operation, amount: Money, limit: Money) -> Entry {
        if let known = entries[operation] { return known }
        let refusal: Refusal? =
            switch operation {
            case .authorize: has(.void) ? .alreadyVoided : amount > limit ? .limitExceeded : nil
            case .capture: has(.void) ? .alreadyVoided : has(.authorize) ? nil : .nothingHeld
            case .void: has(.capture) ? .alreadyCaptured : nil
            case .refund: has(.capture) ? nil : .nothingCaptured
            }
        // An order may be let go before anything is held: then nothing ever will be.
        let moved = operation == .authorize || refusal != nil ? amount : accepted(.authorize)?.amount ?? .zero
        let entry = Entry(operation: operation, amount: moved, refusal: refusal)
        entries[operation] = entry
        return entry
    }

    /// What the customer has paid in the end.
    var charged: Money { (accepted(.capture)?.amount ?? .zero) - (accepted(.refund)?.amount ?? .zero) }

    /// What is held and neither taken nor let go.
    var held: Money {
        has(.capture) || has(.void) ? .zero : accepted(.authorize)?.amount ?? .zero
    }

    private func accepted(_ operation: Operation) -> Entry? {
        entries[operation].flatMap { $0.refusal == nil ? $0 : nil }
    }

    private func has(_ operation: Operation) -> Bool { accepted(operation) != nil }
}
