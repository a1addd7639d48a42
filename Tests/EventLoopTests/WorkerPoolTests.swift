import EventLoop
import Glibc
import Synchronization
import Testing

/// Threads for what blocks.
@Suite struct WorkerPoolTests {
    @Test func resultsAndErrorsComeBackToTheCallersExecutor() async throws {
        struct Failure: Error {}
        let pool = WorkerPool(threads: 2)
        let group = EventLoopGroup(count: 1)
        let loop = group.loops[0]
        let places = try await loop.run {
            let onWorker = try await pool.run { loop.isCurrent }
            return [onWorker, loop.isCurrent]
        }
        #expect(places == [false, true])
        await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
    }

    @Test func fullQueueRefuses() async throws {
        let pool = WorkerPool(threads: 1, capacity: 1)
        let gate = Atomic<Bool>(false)
        let isRunning = Atomic<Bool>(false)
        #expect(
            pool.submit {
                isRunning.store(true, ordering: .relaxed)
                while !gate.load(ordering: .relaxed) { usleep(1_000) }
            })
        while !isRunning.load(ordering: .relaxed) { try await Task.sleep(nanoseconds: 1_000_000) }
        #expect(pool.submit {})
        await #expect(throws: WorkerPool.Saturated.self) { try await pool.run {} }
        gate.store(true, ordering: .relaxed)
    }

    @Test func shutdownFinishesWhatIsQueued() async throws {
        let done = Atomic<Int>(0)
        let pool = WorkerPool(threads: 2)
        for _ in 0..<100 { _ = pool.submit { done.wrappingAdd(1, ordering: .relaxed) } }
        let closer = WorkerPool(threads: 1)
        try await closer.run { pool.shutdown() }
        #expect(done.load(ordering: .relaxed) == 100)
        #expect(!pool.submit {})
    }
}
