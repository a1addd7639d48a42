import Resilience
import Testing

private let second: UInt64 = 1_000_000_000

@Suite struct ResilienceTests {
    @Test func backoffGrowsToItsCap() {
        #expect((1...9).map { Backoff.ceiling(attempt: $0) } == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
        for attempt in 1...100 {
            #expect((0...Backoff.ceiling(attempt: attempt)).contains(Backoff.milliseconds(attempt: attempt)))
        }
    }

    @Test func aBucketGivesItsBurstAndThenItsRate() {
        var bucket = TokenBucket(ratePerSecond: 2, burst: 3, now: 0)
        let burst = (0..<3).map { _ in bucket.take(now: 0) }
        #expect(burst == [nil, nil, nil])
        let step1 = bucket.take(now: 0)
        #expect(step1 == 0.5)
        let step2 = bucket.take(now: second / 2)
        #expect(step2 == nil)
        let step3 = bucket.take(now: second / 2)
        #expect(step3 != nil)
        let step4 = bucket.remaining(now: 100 * second)
        #expect(step4 == 3)
    }

    @Test func aClockThatGoesBackGivesNothing() {
        var bucket = TokenBucket(ratePerSecond: 1, burst: 1, now: 10 * second)
        let step5 = bucket.take(now: 10 * second)
        #expect(step5 == nil)
        let step6 = bucket.take(now: 0)
        #expect(step6 != nil)
    }

    @Test func inventedKeysDoNotGrowTheLimiter() {
        let limiter = RateLimiter(ratePerSecond: 1, burst: 1, maxKeys: 10)
        for number in 0..<1000 { _ = limiter.admit("\(number)", now: 0) }
        #expect(limiter.keyCount <= 10)
        #expect(limiter.admit("a", now: 0) == .admitted(remaining: 0))
        #expect(limiter.admit("a", now: 0) == .refused(retryAfterSeconds: 1))
    }

    @Test func inventedKeysDoNotFreeTheOneThatGoesOnAsking() {
        let limiter = RateLimiter(ratePerSecond: 1, burst: 1, maxKeys: 10)
        #expect(limiter.admit("a", now: 0) == .admitted(remaining: 0))
        for number in 0..<1000 {
            _ = limiter.admit("\(number)", now: 0)
            #expect(limiter.admit("a", now: 0) == .refused(retryAfterSeconds: 1))
        }
    }

    @Test func anAbandonedTrialMakesRoomForAnother() {
        var breaker = CircuitBreaker(now: 0)
        for _ in 0..<5 { breaker.record(success: false, now: 0) }
        let trials = (0..<4).map { _ in breaker.admits(now: 30 * second) }
        #expect(trials == [true, true, true, false])
        breaker.abandon()
        let isAdmitted = breaker.admits(now: 30 * second)
        #expect(isAdmitted)
    }

    @Test func theBreakerOpensOnFailuresAndTriesAgain() {
        var breaker = CircuitBreaker(now: 0)
        for success in [true, true, false, false] { breaker.record(success: success, now: 0) }
        let step7 = breaker.admits(now: 0)
        #expect(step7)
        breaker.record(success: false, now: 0)
        #expect(breaker.state == .open(until: 30 * second))
        let step8 = breaker.admits(now: 29 * second)
        #expect(!step8)
        let trials = (0..<4).map { _ in breaker.admits(now: 30 * second) }
        #expect(trials == [true, true, true, false])
        for _ in 0..<3 { breaker.record(success: true, now: 30 * second) }
        #expect(breaker.state == .closed(calls: 0, failures: 0, since: 30 * second))
    }

    @Test func oneFailedTrialOpensItAgain() {
        var breaker = CircuitBreaker(now: 0)
        for _ in 0..<5 { breaker.record(success: false, now: 0) }
        let step9 = breaker.admits(now: 30 * second)
        #expect(step9)
        breaker.record(success: false, now: 31 * second)
        #expect(breaker.state == .open(until: 61 * second))
    }

    @Test func halfOfTheCallsMayFail() {
        var breaker = CircuitBreaker(now: 0)
        for number in 0..<100 { breaker.record(success: number % 2 == 0, now: 0) }
        let step10 = breaker.admits(now: 0)
        #expect(step10)
    }
}
