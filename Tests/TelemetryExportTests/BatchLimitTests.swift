import Testing

@testable import TelemetryExport

/// How large requests to a collector may be after it found some too large.
@Suite struct BatchLimitTests {
    /// What a sender does with a batch: the requests that it sends to a collector that takes so many bytes.
    private func send(_ batch: Int, takes: Int, _ limit: inout BatchLimit) -> (taken: Int, refused: Int) {
        var (taken, refused) = (0, 0)
        var left = [batch]
        while let request = left.popLast() {
            if let bytes = limit.bytes, request > bytes {
                left += [request - bytes, bytes]
            } else if request <= takes {
                limit.taken(request)
                taken += 1
            } else {
                limit.refused(request)
                refused += 1
                left += [request - request / 2, request / 2]
            }
        }
        return (taken, refused)
    }

    @Test func thereIsNoLimitUntilSomethingIsRefused() {
        var limit = BatchLimit()
        limit.taken(1_000_000)
        #expect(limit.bytes == nil)
        #expect(limit.allows(.max))
    }

    @Test func aRefusalHalvesTheLimitDownToTheFloor() {
        var limit = BatchLimit()
        limit.refused(1_000_000)
        #expect(limit.bytes == 500_000)
        #expect(limit.allows(500_000) && !limit.allows(500_001))
        limit.refused(500_000)
        #expect(limit.bytes == 250_000)
        for _ in 0..<20 { limit.refused(limit.bytes ?? 0) }
        #expect(limit.bytes == BatchLimit.floorBytes)
    }

    @Test func anItemThatIsLargerThanTheLimitAnywaySaysNothing() {
        var limit = BatchLimit()
        limit.refused(100_000)
        limit.refused(80_000)
        #expect(limit.bytes == 50_000)
    }

    @Test func theLimitGrowsTowardsWhatWasRefusedAndNotBeyond() {
        var limit = BatchLimit()
        limit.refused(160_000)
        for _ in 0..<100 { limit.taken(limit.bytes ?? 0) }
        #expect(limit.bytes == 140_000)
    }

    @Test func smallRequestsDoNotRaiseTheLimit() {
        var limit = BatchLimit()
        limit.refused(160_000)
        for _ in 0..<100 { limit.taken(40_000) }
        #expect(limit.bytes == 80_000)
    }

    @Test func aSteadyLimitCostsOneRefusalInHundredsOfRequests() {
        var limit = BatchLimit()
        _ = send(150_000, takes: 64_000, &limit)
        var (taken, refused) = (0, 0)
        for _ in 0..<1_000 {
            let sent = send(150_000, takes: 64_000, &limit)
            taken += sent.taken
            refused += sent.refused
        }
        // Cut as finely as needed, not more.
        #expect(taken <= 1_000 * 5)
        #expect(refused * 100 <= taken, "\(refused) of \(taken)")
        #expect(refused > 0)
    }

    @Test func aCollectorThatTakesMoreThanBeforeIsFoundOutUntilThereIsNoLimit() {
        var limit = BatchLimit()
        limit.refused(100_000)
        for _ in 0..<400 { limit.taken(limit.bytes ?? 0) }
        #expect(limit.bytes == nil)
    }

    @Test func requestsGrowAtOnceAfterWhatWasRefusedIsForgotten() {
        var limit = BatchLimit()
        for _ in 0..<10 { limit.refused(limit.bytes ?? 100_000) }
        limit.taken(BatchLimit.floorBytes - 1)
        #expect(limit.bytes == BatchLimit.floorBytes)
        limit.forgetRefusals()
        limit.taken(BatchLimit.floorBytes - 1)
        #expect(limit.bytes == BatchLimit.floorBytes * 9 / 8)
    }
}

/// When a collector that refuses everything is asked again.
@Suite struct RefusalBreakerTests {
    /// Refuses until it opens, at so many milliseconds.
    private func opened(at milliseconds: UInt64) -> RefusalBreaker {
        var breaker = RefusalBreaker()
        for _ in 0..<RefusalBreaker.refusalsToOpen { breaker.refused("413", at: milliseconds) }
        return breaker
    }

    /// What it lets through at each of these times.
    private func admitted(_ breaker: inout RefusalBreaker, at times: [UInt64]) -> [Bool] {
        times.map { breaker.admits(at: $0) }
    }

    @Test func someRefusalsOpenNothing() {
        var breaker = RefusalBreaker()
        for _ in 0..<100 {
            for _ in 1..<RefusalBreaker.refusalsToOpen { breaker.refused("400", at: 0) }
            #expect(!breaker.isOpen)
            #expect(admitted(&breaker, at: [0, 0]) == [true, true])
            breaker.taken()
        }
    }

    @Test func manyInARowOpenItForAPause() {
        var breaker = opened(at: 10_000)
        #expect(breaker.isOpen)
        #expect(breaker.errorType == "413")
        #expect(breaker.isPausing(at: 10_999))
        #expect(!breaker.isPausing(at: 11_000))
        #expect(admitted(&breaker, at: [10_000, 10_999, 11_000]) == [false, false, true])
    }

    @Test func oneRequestIsLetThroughAfterAPauseEvenIfNobodySaysWhatBecameOfIt() {
        var breaker = opened(at: 0)
        #expect(admitted(&breaker, at: [1_000, 1_000, 1_999, 2_000]) == [true, false, false, true])
    }

    @Test func pausesDoubleToABound() {
        var breaker = opened(at: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<8 {
            let since = now
            while !breaker.admits(at: now) { now += 500 }
            pauses.append(now - since)
            breaker.refused("400", at: now)
        }
        #expect(pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
        #expect(breaker.errorType == "400")
    }

    @Test func aTakenRequestClosesIt() {
        var breaker = opened(at: 0)
        #expect(admitted(&breaker, at: [5_000]) == [true])
        breaker.taken()
        #expect(!breaker.isOpen)
        #expect(admitted(&breaker, at: [5_000, 5_000]) == [true, true])
        // Whoever was about to count something as lost still finds a reason.
        #expect(breaker.errorType == "413")
        // And it needs as many refusals again.
        breaker.refused("413", at: 6_000)
        #expect(!breaker.isOpen)
    }
}
