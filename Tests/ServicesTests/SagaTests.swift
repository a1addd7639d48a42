import Testing

@testable import Payments
@testable import Processor
@testable import Warehouse

/// Every order of a few values.
private func permutations<T>(_ values: [T]) -> [[T]] {
    guard values.count > 1 else { return [values] }
    return values.indices.flatMap { index -> [[T]] in
        var rest = values
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}

@Suite struct OrderSagaTests {
    @Test func everyOrderOfGoodAnswersCompletesOnce() {
        let facts: [OrderSaga.Fact] = [.orderCreated, .stockReserved, .paymentAuthorized]
        for order in permutations(facts + facts) {
            var saga = OrderSaga()
            let decisions = order.compactMap { saga.take($0) }
            #expect(decisions == [.complete])
            #expect(saga.state == .completed)
        }
    }

    @Test(arguments: [
        (OrderSaga.Fact.stockRejected, OrderSaga.Fact.paymentAuthorized, "out_of_stock"),
        (.stockReserved, .paymentDeclined(reason: "limit_exceeded"), "payment_declined"),
    ])
    func oneRefusalFailsOnceInEveryOrder(_ stock: OrderSaga.Fact, _ payment: OrderSaga.Fact, _ reason: String) {
        for order in permutations([.orderCreated, stock, payment, stock, payment]) {
            var saga = OrderSaga()
            let decisions = order.compactMap { saga.take($0) }
            #expect(decisions == [.fail(reason: reason)])
            #expect(saga.state == .failed)
        }
    }

    @Test func twoRefusalsStillFailOnce() {
        for order in permutations([OrderSaga.Fact.orderCreated, .stockRejected, .paymentDeclined(reason: "x")]) {
            var saga = OrderSaga()
            #expect(order.compactMap { saga.take($0) }.count == 1)
        }
    }

    @Test func whatComesAfterTheDecisionChangesNothing() {
        var saga = OrderSaga()
        _ = saga.take(.orderCreated)
        #expect(saga.take(.deadlinePassed) == .fail(reason: "timed_out"))
        for fact: OrderSaga.Fact in [.stockReserved, .paymentAuthorized, .orderCancelled, .deadlinePassed] {
            #expect(saga.take(fact) == nil)
        }
        #expect(saga.state == .failed)
        #expect(saga.reason == "timed_out")
    }

    @Test func aCancellationFailsAnOrderThatIsNotDecided() {
        for facts: [OrderSaga.Fact] in [[], [.orderCreated], [.orderCreated, .stockReserved]] {
            var saga = OrderSaga()
            for fact in facts { _ = saga.take(fact) }
            #expect(saga.take(.orderCancelled) == .fail(reason: "cancelled"))
        }
    }

    @Test func answersAloneDecideNothing() {
        var saga = OrderSaga()
        #expect(saga.take(.stockReserved) == nil)
        #expect(saga.take(.paymentDeclined(reason: "x")) == nil)
        #expect(saga.state == .pending)
    }
}

@Suite struct PaymentStateTests {
    /// What the provider is asked to do, whatever comes in whatever order and twice.
    private func operations(_ facts: [PaymentState.Fact]) -> [PaymentState.Operation] {
        var state: PaymentState?
        var operations: [PaymentState.Operation] = []
        for fact in facts {
            switch PaymentState.step(from: state, on: fact) {
            case .ignore, .contradiction: break
            case .mark: state = .voided
            case .perform(let operation):
                operations.append(operation)
                state =
                    switch operation {
                    case .authorize: .authorized
                    case .capture: .captured
                    case .void: .voided
                    case .refund: .refunded
                    }
            }
        }
        return operations
    }

    @Test func nothingIsEverDoneTwice() {
        let facts = PaymentState.Fact.allCases
        for order in permutations(facts) {
            let done = operations(order.flatMap { [$0, $0] })
            #expect(Set(done).count == done.count)
        }
    }

    @Test func aFailureBeforeTheOrderKeepsItFromBeingCharged() {
        #expect(operations([.failed, .created, .failed]) == [])
        #expect(operations([.cancelled, .created, .completed]) == [])
    }

    @Test func aCancelledOrderGetsItsMoneyBack() {
        #expect(operations([.created, .completed, .cancelled]) == [.authorize, .capture, .refund])
        #expect(operations([.created, .cancelled, .completed]) == [.authorize, .void])
    }
}

@Suite struct ReservationStateTests {
    @Test func whatWasReservedLeavesOrComesBackOnce() {
        for order in permutations(ReservationState.Fact.allCases) {
            var state: ReservationState?
            var reserved = 0
            var onHand = 10
            for fact in order.flatMap({ [$0, $0] }) {
                switch ReservationState.step(from: state, on: fact) {
                case .ignore, .contradiction: break
                case .mark: state = .released
                case .reserve:
                    state = .reserved
                    reserved += 3
                case .commit:
                    state = .committed
                    reserved -= 3
                    onHand -= 3
                case .release:
                    state = .released
                    reserved -= 3
                case .takeBack:
                    state = .returned
                    onHand += 3
                }
                #expect(reserved >= 0 && reserved <= onHand)
            }
            #expect(reserved == 0 || state == .reserved)
            #expect(onHand == 10 || state == .committed)
        }
    }
}
