import Testing
import Values

@testable import Payments

/// The simulated provider's books, and payments that are cut off between its answer and their own commit.
@Suite struct ProviderAccountTests {
    private let limit = Money(cents: 1_000_000)
    private let amount = Money(cents: 2_000)

    private func sequences<T: Hashable>(_ alphabet: [T], upTo length: Int) -> [[T]] {
        var all: [[T]] = [[]]
        var longest = all
        for _ in 0..<length {
            longest = longest.flatMap { known in alphabet.map { known + [$0] } }
            all += longest
        }
        return all
    }

    @Test func noSequenceOfCallsTakesMoreThanWasHeldOrTakesWhatWasLetGo() {
        for calls in sequences(PaymentState.Operation.allCases, upTo: 6) {
            var account = ProviderAccount()
            for call in calls { _ = account.perform(call, amount: amount, limit: limit) }
            let accepted = Set(account.entries.values.filter { $0.refusal == nil }.map(\.operation))
            #expect(!(accepted.contains(.capture) && accepted.contains(.void)))
            #expect([.zero, amount].contains(account.charged))
            #expect([.zero, amount].contains(account.held))
            if accepted.contains(.capture) { #expect(accepted.contains(.authorize)) }
        }
    }

    @Test func aRepeatedCallGetsItsFirstAnswer() {
        var account = ProviderAccount()
        let first = account.perform(.authorize, amount: limit + Money(cents: 1), limit: limit)
        #expect(first.refusal == .limitExceeded)
        #expect(account.perform(.authorize, amount: amount, limit: limit) == first)
        #expect(account.perform(.capture, amount: amount, limit: limit).refusal == .nothingHeld)
    }

    /// One delivery of a fact: handled whole, or cut off after the provider's answer.
    private struct Delivery: Hashable {
        let fact: PaymentState.Fact
        let isCutOff: Bool
    }

    /// What `PaymentRunner` does, without its database: the state is kept only when the delivery is not cut off.
    private func deliver(_ delivery: Delivery, _ state: inout PaymentState?, _ account: inout ProviderAccount) {
        var next = state
        var pending: PaymentState.Operation?
        switch PaymentState.step(from: state, on: delivery.fact) {
        case .ignore, .contradiction: return
        case .mark:
            _ = account.perform(.void, amount: .zero, limit: limit)
            next = .voided
        case .perform(let operation): pending = operation
        }
        while let operation = pending {
            pending = nil
            switch PaymentState.outcome(of: operation, account.perform(operation, amount: amount, limit: limit).refusal)
            {
            case .become(let state): next = state
            case .performInstead(let other): pending = other
            case .contradiction: Issue.record("\(operation) from \(String(describing: state)) is a contradiction")
            }
        }
        if !delivery.isCutOff { state = next }
    }

    @Test func whateverIsCutOffAndComesAgainBooksAndProviderAgreeInTheEnd() {
        // An order fails or completes, never both.
        for outcome in [PaymentState.Fact.completed, .failed] {
            let facts: [PaymentState.Fact] = [.created, outcome, .cancelled]
            let deliveries = facts.flatMap {
                [Delivery(fact: $0, isCutOff: true), Delivery(fact: $0, isCutOff: false)]
            }
            for history in sequences(deliveries, upTo: 5) {
                // An order completes only after its payment was held: `completed` is never heard of before.
                guard isPossible(history) else { continue }
                var state: PaymentState?
                var account = ProviderAccount()
                // What was cut off is delivered again, in the end.
                let again = history.filter(\.isCutOff).map { Delivery(fact: $0.fact, isCutOff: false) }
                for delivery in history + again { deliver(delivery, &state, &account) }
                #expect(account.held == (state == .authorized ? amount : .zero))
                #expect(account.charged == (state == .captured ? amount : .zero))
                if history.contains(where: { $0.fact == .cancelled || $0.fact == .failed }) {
                    #expect(account.charged == .zero && account.held == .zero)
                }
            }
        }
    }

    private func isPossible(_ history: [Delivery]) -> Bool {
        guard let completed = history.firstIndex(where: { $0.fact == .completed }) else { return true }
        let created = history.firstIndex(of: Delivery(fact: .created, isCutOff: false)) ?? history.endIndex
        return created < completed && !history[..<created].contains { $0.fact == .cancelled }
    }
}
