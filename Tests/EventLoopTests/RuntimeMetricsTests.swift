import EventLoop
import Glibc
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// Saturation of loops and pools, as metrics tell it.
@Suite struct RuntimeMetricsTests {
    @Test func aBlockedLoopShowsAsLag() async throws {
        let group = EventLoopGroup(count: 2)
        let registry = MetricRegistry()
        let metrics = RuntimeMetrics(group: group, pools: [], registry: registry)
        let lags = registry.histogram(RuntimeMetrics.lag)
        metrics.start()
        // The first measurements, then something that should not be on a loop.
        #expect(await eventually { lags.series("0").snapshot.counts.reduce(0, +) > 0 })
        group.loops[0].execute { usleep(600_000) }
        #expect(await eventually { lags.series("0").snapshot.sum > 0.2 })
        #expect(lags.series("0").snapshot.counts.suffix(4).contains { $0 > 0 })
        metrics.stop()
        let pool = WorkerPool(threads: 1)
        try await pool.run { group.shutdown() }
    }

    @Test func jobsThatWaitForALoopShowAsDepth() async throws {
        let group = EventLoopGroup(count: 1)
        let registry = MetricRegistry()
        let metrics = RuntimeMetrics(group: group, pools: [], registry: registry)
        let depth = registry.gauge(RuntimeMetrics.queueDepth).series("0")
        metrics.start()
        let loop = group.loops[0]
        loop.execute {
            for _ in 0..<500 { loop.spawn { await Task.yield() } }
        }
        #expect(await eventually { depth.value >= 500 })
        // What was told once is not told again.
        #expect(await eventually { depth.value < 500 })
        metrics.stop()
        let pool = WorkerPool(threads: 1)
        try await pool.run { group.shutdown() }
    }

    @Test func aPoolTellsWhatWaitsRunsAndWasRefused() async {
        let group = EventLoopGroup(count: 1)
        let pool = WorkerPool(threads: 1, capacity: 3, name: "kitchen")
        let registry = MetricRegistry()
        let metrics = RuntimeMetrics(group: group, pools: [pool], registry: registry)
        let gate = Atomic<Bool>(false)
        let work: @Sendable () -> Void = { while !gate.load(ordering: .relaxed) { usleep(1_000) } }
        #expect(pool.submit(work))
        #expect(await eventually { pool.load.busy == 1 })
        for _ in 0..<3 { #expect(pool.submit {}) }
        for _ in 0..<2 { #expect(!pool.submit {}) }
        #expect(
            Self.values(registry) == [
                "worker_pool_busy_threads": 1, "worker_pool_queue_length": 3, "worker_pool_refused_total": 2,
            ])
        gate.store(true, ordering: .relaxed)
        #expect(await eventually { pool.load == (0, 0, 2) })
        metrics.stop()
        let closer = WorkerPool(threads: 1)
        try? await closer.run { group.shutdown() }
    }

    private static func values(_ registry: MetricRegistry) -> [String: Double] {
        var values: [String: Double] = [:]
        for case .observed(let family) in registry.families where family.declaration.name.hasPrefix("worker_pool") {
            for (_, value) in family.read() { values[family.declaration.name] = value }
        }
        return values
    }
}
