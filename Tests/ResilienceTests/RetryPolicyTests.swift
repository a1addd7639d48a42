import Resilience
import Telemetry
import Testing

private struct Transient: Error {}
private struct Final: Error {}

@Suite struct RetryPolicyTests {
    private let quick: RetryPolicy = {
        var policy = RetryPolicy()
        policy.baseMilliseconds = 1
        return policy
    }()

    private func attempts(
        _ policy: RetryPolicy, budget: RetryBudget? = nil, failing: Int, with error: any Error = Transient()
    ) async -> (count: Int, succeeded: Bool) {
        var count = 0
        do {
            try await policy.run(budget: budget, isTransient: { $0 is Transient }) { attempt in
                count = attempt
                if attempt <= failing { throw error }
            }
            return (count, true)
        } catch {
            return (count, false)
        }
    }

    @Test func triesAgainUntilItSucceedsOrHasTriedEnough() async {
        #expect(await attempts(quick, failing: 0) == (1, true))
        #expect(await attempts(quick, failing: 2) == (3, true))
        #expect(await attempts(quick, failing: 9) == (3, false))
    }

    @Test func whatIsFinalOrCancelledIsNotRepeated() async {
        #expect(await attempts(quick, failing: 1, with: Final()) == (1, false))
        #expect(await attempts(quick, failing: 1, with: CancellationError()) == (1, false))
    }

    @Test func retriesAreATenthOfTheRequestsWhenEverythingFails() async {
        let budget = RetryBudget(maxSaved: 10)
        var retries = 0
        for _ in 0..<1000 { retries += await attempts(quick, budget: budget, failing: 9).count - 1 }
        #expect((100...110).contains(retries))
    }

    @Test func nothingIsRepeatedPastTheDeadline() async {
        let context = TelemetryContext(deadline: TelemetryClock.system.monotonicNanoseconds())
        let result = await TelemetryContext.$current.withValue(context) { await attempts(quick, failing: 9) }
        #expect(result == (1, false))
    }

    @Test func aBudgetSavesUpNoMoreThanItsBound() {
        let budget = RetryBudget(maxSaved: 3)
        for _ in 0..<1000 { budget.deposit() }
        #expect((0..<5).map { _ in budget.withdraw() } == [true, true, true, false, false])
        for _ in 0..<10 { budget.deposit() }
        #expect((0..<2).map { _ in budget.withdraw() } == [true, false])
    }
}
