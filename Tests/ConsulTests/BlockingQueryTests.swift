import Consul
import Testing

/// The rules of blocking queries, one by one.
@Suite struct BlockingQueryTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func theFirstQuestionDoesNotWaitAndTheNextWaitsFromTheAnswer() {
        var query = BlockingQuery(now: 0)
        #expect(query.index == 0)
        query.received(index: 42, now: 1)
        #expect(query.index == 42)
        query.received(index: 43, now: 2)
        #expect(query.index == 43)
    }

    @Test func anIndexThatGoesBackwardsStartsOver() {
        var query = BlockingQuery(now: 0)
        query.received(index: 42, now: 1)
        query.received(index: 41, now: 2)
        #expect(query.index == 0)
        query.received(index: 41, now: 3)
        #expect(query.index == 41)
    }

    @Test(arguments: [0, nil] as [UInt64?])
    func anIndexBelowOneCountsAsOne(index: UInt64?) {
        var query = BlockingQuery(now: 0)
        query.received(index: index, now: 1)
        #expect(query.index == 1)
        // Again, and again: it never asks without waiting.
        query.received(index: index, now: 2)
        #expect(query.index == 1)
    }

    @Test func aFewFastAnswersAreFreeAndThenAllAreSlow() {
        var query = BlockingQuery(now: 0)
        for index in 1...3 as ClosedRange<UInt64> {
            query.received(index: index, now: 0)
            #expect(query.pauseMilliseconds == 0)
        }
        query.received(index: 4, now: 0)
        #expect(query.pauseMilliseconds == 1_000)
        query.received(index: 5, now: Self.second)
        #expect(query.pauseMilliseconds == 1_000)
    }

    @Test func aQuietTimeAllowsFastAnswersAgain() {
        var query = BlockingQuery(now: 0)
        for index in 1...4 as ClosedRange<UInt64> { query.received(index: index, now: 0) }
        query.received(index: 5, now: 60 * Self.second)
        #expect(query.pauseMilliseconds == 0)
    }

    @Test func failuresPauseEverLongerUpToABoundAndNeverNotAtAll() {
        var query = BlockingQuery(now: 0)
        query.received(index: 42, now: 0)
        var pauses: [Int] = []
        for _ in 0..<40 {
            query.failed(jitter: 0, now: 0)
            #expect(query.index == 0)
            pauses.append(query.pauseMilliseconds)
        }
        #expect(pauses.prefix(4) == [125, 250, 500, 1_000])
        #expect(pauses.last == 5_000)
        query.failed(jitter: 1, now: 0)
        #expect(query.pauseMilliseconds == 10_000)
        query.received(index: 42, now: 60 * Self.second)
        query.failed(jitter: 0, now: 60 * Self.second)
        #expect(query.pauseMilliseconds == 125)
    }
}
