import EventLoop
import Glibc
import Synchronization
import Testing

/// Tasks and timers on a loop of their own.
@Suite struct ExecutorTests {
    /// Runs `body` with a fresh loop, and shuts it down afterwards.
    private func withLoop(_ body: (EventLoop) async throws -> Void) async throws {
        let group = EventLoopGroup(count: 1)
        do {
            try await body(group.loops[0])
        } catch {
            await Self.shutdown(group)
            throw error
        }
        await Self.shutdown(group)
    }

    /// Joining blocks, so not on a thread of the test runner.
    private static func shutdown(_ group: EventLoopGroup) async {
        await withCheckedContinuation { continuation in
            let pool = WorkerPool(threads: 1)
            _ = pool.submit {
                group.shutdown()
                continuation.resume()
            }
        }
    }

    @Test func runStaysOnTheLoopAcrossSuspensions() async throws {
        try await withLoop { loop in
            let places = try await loop.run {
                var places = [loop.isCurrent]
                await Task.yield()
                places.append(loop.isCurrent)
                try await Task.sleep(nanoseconds: 1_000_000)
                places.append(loop.isCurrent)
                try await loop.sleep(milliseconds: 1)
                places.append(loop.isCurrent)
                return places
            }
            #expect(places == [true, true, true, true])
            #expect(!loop.isCurrent)
        }
    }

    @Test func runCarriesErrorsTaskLocalsAndCancellation() async throws {
        struct Failure: Error {}
        try await withLoop { loop in
            await #expect(throws: Failure.self) { try await loop.run { throw Failure() } }
            let seen = try await Local.$value.withValue(7) { try await loop.run { Local.value } }
            #expect(seen == 7)
            let task = Task { try await loop.run { try await loop.sleep(milliseconds: 60_000) } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    private enum Local { @TaskLocal static var value = 0 }

    @Test func spawnOnTheLoopRunsAtOnceUpToTheFirstSuspension() async throws {
        try await withLoop { loop in
            let steps = Mutex<[Int]>([])
            try await loop.run {
                let task = loop.spawn {
                    steps.withLock { $0.append(1) }
                    await Task.yield()
                    steps.withLock { $0.append(3) }
                }
                steps.withLock { $0.append(2) }
                await task.value
            }
            #expect(steps.withLock { $0 } == [1, 2, 3])
        }
    }

    @Test func executeNeverRunsWithinTheCallPerformDoes() async throws {
        try await withLoop { loop in
            let steps = Mutex<[Int]>([])
            try await loop.run {
                loop.execute { steps.withLock { $0.append(3) } }
                steps.withLock { $0.append(1) }
                loop.perform { steps.withLock { $0.append(2) } }
                try await loop.sleep(milliseconds: 5)
            }
            #expect(steps.withLock { $0 } == [1, 2, 3])
        }
    }

    @Test func workFromManyThreadsRunsOnceAndOnTheLoop() async throws {
        try await withLoop { loop in
            let ran = Atomic<Int>(0)
            let elsewhere = Atomic<Int>(0)
            let threads = WorkerPool(threads: 8)
            for _ in 0..<8 {
                _ = threads.submit {
                    for _ in 0..<5_000 {
                        loop.execute {
                            if !loop.isCurrent { elsewhere.wrappingAdd(1, ordering: .relaxed) }
                            ran.wrappingAdd(1, ordering: .relaxed)
                        }
                        loop.spawn { ran.wrappingAdd(1, ordering: .relaxed) }
                    }
                }
            }
            for _ in 0..<2_000 where ran.load(ordering: .relaxed) < 80_000 {
                try await Task.sleep(nanoseconds: 5_000_000)
            }
            #expect(ran.load(ordering: .relaxed) == 80_000)
            #expect(elsewhere.load(ordering: .relaxed) == 0)
        }
    }

    @Test func taskThatNeverStopsYieldingStarvesNoTimer() async throws {
        try await withLoop { loop in
            let isOver = Atomic<Bool>(false)
            let greedy = loop.spawn {
                while !isOver.load(ordering: .relaxed) { await Task.yield() }
            }
            try await loop.run { try await loop.sleep(milliseconds: 20) }
            isOver.store(true, ordering: .relaxed)
            await greedy.value
        }
    }

    @Test func sleepersWakeInOrder() async throws {
        try await withLoop { loop in
            let order = Mutex<[UInt64]>([])
            try await loop.run {
                let tasks = [40, 10, 30, 0, 20].map { (delay: UInt64) in
                    loop.spawn {
                        try? await loop.sleep(milliseconds: delay)
                        order.withLock { $0.append(delay) }
                    }
                }
                for task in tasks { await task.value }
            }
            #expect(order.withLock { $0 } == [0, 10, 20, 30, 40])
        }
    }

    @Test func sleepEndsWhenItsTaskIsCancelledFromAnywhere() async throws {
        try await withLoop { loop in
            for fromTheLoop in [true, false] {
                let sleeper = Task { try await loop.run { try await loop.sleep(milliseconds: 3_600_000) } }
                try await Task.sleep(nanoseconds: 5_000_000)
                if fromTheLoop { try await loop.run { sleeper.cancel() } } else { sleeper.cancel() }
                await #expect(throws: CancellationError.self) { try await sleeper.value }
            }
            // Cancelled before it began.
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await loop.run { try await loop.sleep(milliseconds: 3_600_000) }
            }
            await #expect(throws: CancellationError.self) { try await late.value }
        }
    }

    @Test func timersFireRepeatAndStop() async throws {
        try await withLoop { loop in
            let counts = try await loop.run {
                let once = Atomic<Int>(0)
                let often = Atomic<Int>(0)
                let never = Atomic<Int>(0)
                loop.schedule(afterMilliseconds: 1) { once.wrappingAdd(1, ordering: .relaxed) }
                let repeating = loop.schedule(afterMilliseconds: 1, repeating: 1) {
                    often.wrappingAdd(1, ordering: .relaxed)
                }
                let cancelled = loop.schedule(afterMilliseconds: 5) { never.wrappingAdd(1, ordering: .relaxed) }
                cancelled.cancel()
                cancelled.cancel()
                while often.load(ordering: .relaxed) < 5 { try await loop.sleep(milliseconds: 2) }
                repeating.cancel()
                let atTheEnd = often.load(ordering: .relaxed)
                try await loop.sleep(milliseconds: 20)
                #expect(often.load(ordering: .relaxed) == atTheEnd)
                return [once.load(ordering: .relaxed), never.load(ordering: .relaxed)]
            }
            #expect(counts == [1, 0])
        }
    }

    @Test func alarmCanBeSetAgainAndCleared() async throws {
        try await withLoop { loop in
            let rings = try await loop.run {
                let rings = Atomic<Int>(0)
                let alarm = LoopAlarm(loop: loop)
                alarm.action = { rings.wrappingAdd(1, ordering: .relaxed) }
                alarm.set(afterMilliseconds: 1)
                alarm.set(afterMilliseconds: 3)
                try await loop.sleep(milliseconds: 30)
                alarm.set(afterMilliseconds: 1)
                alarm.clear()
                try await loop.sleep(milliseconds: 20)
                let count = rings.load(ordering: .relaxed)
                alarm.close()
                alarm.set(afterMilliseconds: 1)
                try await loop.sleep(milliseconds: 20)
                return [count, rings.load(ordering: .relaxed)]
            }
            #expect(rings == [1, 1])
        }
    }

    @Test func lagTellsWhatHeldTheLoop() async throws {
        try await withLoop { loop in
            let worst = Atomic<UInt64>(0)
            try await loop.run {
                let timer = loop.observeLag(everyMilliseconds: 5) { lag in
                    if lag > worst.load(ordering: .relaxed) { worst.store(lag, ordering: .relaxed) }
                }
                try await loop.sleep(milliseconds: 12)
                usleep(100_000)
                try await loop.sleep(milliseconds: 12)
                timer.cancel()
            }
            #expect(worst.load(ordering: .relaxed) >= 80_000_000)
        }
    }

    @Test func shutdownClosesWhatIsOpenAndLaterWorkIsIgnored() async throws {
        let group = EventLoopGroup(count: 2)
        let loop = group.loops[0]
        let listener = try await loop.run {
            loop.schedule(afterMilliseconds: 1_000_000) {}
            let address = try #require(SocketAddress("127.0.0.1", port: 0))
            return try TCPListener(loop: loop, address: address) { _ in }
        }
        let ticks = Atomic<Int>(0)
        let sleeper = Task { try await loop.run { try await loop.sleep(milliseconds: 3_600_000) } }
        await Self.shutdown(group)
        loop.execute { ticks.wrappingAdd(1, ordering: .relaxed) }
        loop.spawn { ticks.wrappingAdd(1, ordering: .relaxed) }
        await Self.shutdown(group)
        #expect(ticks.load(ordering: .relaxed) == 0)
        sleeper.cancel()
        _ = listener
    }

    @Test func groupHandsOutTheCallersOwnLoopElseAllInTurn() async throws {
        let group = EventLoopGroup(count: 3)
        let own = try await group.loops[1].run { group.next().index }
        #expect(own == 1)
        #expect(Set((0..<3).map { _ in group.next().index }) == [0, 1, 2])
        let stranger = EventLoopGroup(count: 2)
        let foreign = try await stranger.loops[1].run { group.owns(EventLoop.current ?? group.loops[0]) }
        #expect(!foreign)
        await Self.shutdown(group)
        await Self.shutdown(stranger)
    }
}
