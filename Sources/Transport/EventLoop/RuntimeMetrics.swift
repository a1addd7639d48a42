internal import Synchronization
package import Telemetry

/// How busy the threads of a process are: how late each event loop does what is due, how many jobs wait for it, and how
/// long the queues of the worker pools are. Saturation shows here before it shows in the latency of requests.
package final class RuntimeMetrics: Sendable {
    package static let lag = Histogram(
        "event_loop_lag_seconds", unit: .seconds,
        help: "How late a timer of the loop fired: how long what runs on the loop keeps everything else waiting.",
        labels: ["loop"], buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1])
    package static let queueDepth = Gauge(
        "event_loop_queue_depth",
        help: "Most jobs that one turn of the loop's executor had, since the last measurement.",
        labels: ["loop"])
    package static let poolQueue = Gauge(
        "worker_pool_queue_length", help: "Jobs that wait for a worker thread.", labels: ["pool"])
    package static let poolCapacity = Gauge(
        "worker_pool_queue_capacity", help: "Jobs that may wait for a worker thread.", labels: ["pool"])
    package static let poolBusy = Gauge(
        "worker_pool_busy_threads", help: "Worker threads that run a job.", labels: ["pool"])
    package static let poolThreads = Gauge("worker_pool_threads", help: "Worker threads.", labels: ["pool"])
    package static let poolRefused = Counter(
        "worker_pool_refused_total", help: "Jobs refused because the queue was full.", labels: ["pool"])

    /// Every metric of loops and pools.
    package static let declarations: [MetricDeclaration] = [
        lag.declaration, queueDepth.declaration, poolQueue.declaration, poolCapacity.declaration,
        poolBusy.declaration, poolThreads.declaration, poolRefused.declaration,
    ]

    /// A measurement takes about a microsecond.
    private static let intervalMilliseconds: UInt64 = 250
    private let watches: [LoopWatch]

    /// Shows loops and pools in a registry; loops are measured from `start` on.
    package init(group: EventLoopGroup, pools: [WorkerPool], registry: MetricRegistry) {
        let lags = registry.histogram(Self.lag)
        let depths = registry.gauge(Self.queueDepth)
        watches = group.loops.map { loop in
            let name = "\(loop.index)"
            return LoopWatch(loop: loop, lag: lags.series(name), depth: depths.series(name))
        }
        for pool in pools {
            registry.observe(Self.poolQueue, labels: [pool.name]) { Double(pool.load.waiting) }
            registry.observe(Self.poolBusy, labels: [pool.name]) { Double(pool.load.busy) }
            registry.observe(Self.poolRefused, labels: [pool.name]) { Double(pool.load.refused) }
            registry.gauge(Self.poolCapacity).series(pool.name).set(Double(pool.capacity))
            registry.gauge(Self.poolThreads).series(pool.name).set(Double(pool.threadCount))
        }
    }

    /// Starts to measure the loops.
    package func start() { for watch in watches { watch.start(everyMilliseconds: Self.intervalMilliseconds) } }

    /// Ends it. Again, this does nothing.
    package func stop() { for watch in watches { watch.stop() } }
}

/// Measures one loop, on its thread.
///
/// Safety (`@unchecked Sendable`): `timer` is touched on the loop's thread only.
private final class LoopWatch: @unchecked Sendable {
    private let loop: EventLoop
    private let lag: HistogramSeries
    private let depth: GaugeSeries
    private var timer: LoopTimer?

    init(loop: EventLoop, lag: HistogramSeries, depth: GaugeSeries) {
        self.loop = loop
        self.lag = lag
        self.depth = depth
    }

    func start(everyMilliseconds interval: UInt64) {
        loop.execute { [self] in
            guard timer == nil else { return }
            timer = loop.observeLag(everyMilliseconds: interval) { [lag, depth, loop] nanoseconds in
                lag.record(Double(nanoseconds) / 1e9)
                depth.set(Double(loop.takeDeepestQueue()))
            }
        }
    }

    func stop() {
        loop.execute { [self] in
            timer?.cancel()
            timer = nil
        }
    }
}
