import ConnectionPool
import Testing

@Suite struct PoolStateTests {
    private func pool(max: Int = 2, waiters: Int = 10) -> PoolState {
        PoolState(maxConnections: max, maxWaiters: waiters, idleTimeoutMilliseconds: 1000)
    }

    @Test func opensForTheFirstCallerAndReusesForTheNext() {
        var state = pool()
        #expect(state.acquire(1, deadline: 100) == [.open(1)])
        #expect(state.opened(1, now: 0) == [.lease(1, to: 1)])
        #expect(state.release(1, now: 1) == [])
        #expect(state.acquire(2, deadline: 100) == [.lease(1, to: 2)])
        #expect(state.openCount == 1)
    }

    @Test func neverOpensMoreThanItMay() {
        var state = pool(max: 2)
        let actions = (1...5).flatMap { state.acquire($0, deadline: 100) }
        #expect(actions == [.open(1), .open(2)])
        #expect(state.waitingCount == 5)
    }

    @Test func servesThoseWhoWaitInOrder() {
        var state = pool(max: 1)
        _ = state.acquire(1, deadline: 100)
        _ = state.acquire(2, deadline: 100)
        _ = state.acquire(3, deadline: 100)
        #expect(state.opened(1, now: 0) == [.lease(1, to: 1)])
        #expect(state.release(1, now: 1) == [.lease(1, to: 2)])
        #expect(state.release(1, now: 2) == [.lease(1, to: 3)])
    }

    @Test func refusesWhenTooManyWait() {
        var state = pool(max: 1, waiters: 1)
        _ = state.acquire(1, deadline: 100)
        #expect(state.acquire(2, deadline: 100) == [.fail(2, .tooManyWaiting)])
    }

    @Test func aWaiterIsToldWhenItsTimeIsOver() {
        var state = pool(max: 1)
        _ = state.acquire(1, deadline: 100)
        #expect(state.tick(now: 99) == [])
        #expect(state.tick(now: 100) == [.fail(1, .timedOut)])
        // The connection that was opening for it is kept for the next caller.
        #expect(state.opened(1, now: 101) == [])
        #expect(state.acquire(2, deadline: 200) == [.lease(1, to: 2)])
    }

    @Test func allWaitersAreToldWhenNothingCanBeOpened() {
        var state = pool(max: 2)
        _ = state.acquire(1, deadline: 100)
        _ = state.acquire(2, deadline: 100)
        #expect(state.failedToOpen(1) == [])
        #expect(state.failedToOpen(2) == [.fail(1, .cannotConnect), .fail(2, .cannotConnect)])
        #expect(state.isEmpty)
    }

    @Test func aBrokenConnectionIsReplacedForThoseWhoWait() {
        var state = pool(max: 1)
        _ = state.acquire(1, deadline: 100)
        _ = state.opened(1, now: 0)
        _ = state.acquire(2, deadline: 100)
        #expect(state.closed(1) == [.open(2)])
    }

    @Test func idleConnectionsAgeOut() {
        var state = pool()
        _ = state.acquire(1, deadline: 100)
        _ = state.opened(1, now: 0)
        _ = state.release(1, now: 10)
        #expect(state.tick(now: 1009) == [])
        #expect(state.tick(now: 1010) == [.close(1)])
        #expect(state.isEmpty)
    }

    @Test func drainingClosesWhatComesBack() {
        var state = pool(max: 1)
        _ = state.acquire(1, deadline: 100)
        _ = state.opened(1, now: 0)
        _ = state.acquire(2, deadline: 100)
        #expect(state.drain() == [.fail(2, .drained)])
        #expect(state.release(1, now: 1) == [.close(1)])
        #expect(state.acquire(3, deadline: 100) == [.fail(3, .drained)])
    }
}
