internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import TelemetrySDK

/// Sends what the registries of all services hold to the collectors, again and again. One task on one event loop; encoding
/// happens on a worker thread.
final class MetricExporter: Sendable {
    /// The services of the process at this moment.
    typealias Services = @Sendable () -> [(resource: ServiceResource, metrics: MetricRegistry)]

    static let duration = Histogram(
        "telemetry_metric_collection_duration_seconds", unit: .seconds,
        help: "Reading and encoding every series for the collectors.")

    private let senders: OTLPSenders
    private let services: Services
    private let intervalMilliseconds: Int
    private let loop: EventLoop
    private let wakeUp: LoopSignal
    private let worker: WorkerPool
    private let encoding = OTLPEncoding(.metrics)
    private let durations: HistogramSeries
    private let startNanoseconds = TelemetryClock.system.wallNanoseconds()
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(
        senders: OTLPSenders, intervalMilliseconds: Int, group: EventLoopGroup, worker: WorkerPool,
        metrics: MetricRegistry, services: @escaping Services
    ) {
        self.senders = senders
        self.services = services
        self.intervalMilliseconds = intervalMilliseconds
        self.worker = worker
        loop = group.next()
        wakeUp = LoopSignal(loop: loop)
        durations = metrics.histogram(Self.duration).series()
    }

    func start() {
        senders.start()
        task.withLock { task in
            guard task == nil else { return }
            task = loop.spawn { [self] in
                await TelemetryContext.$current.withValue(TelemetryContext()) { await run() }
            }
        }
    }

    /// Sends the last state, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        let clock = TelemetryClock.system
        let deadline = clock.monotonicNanoseconds() + UInt64(max(0, timeoutMilliseconds)) * 1_000_000
        start()
        wakeUp.stop()
        if let running = task.withLock({ $0 }) {
            await Deadline.race(milliseconds: timeoutMilliseconds) { await running.value }
            running.cancel()
        }
        let now = clock.monotonicNanoseconds()
        await senders.shutdown(timeoutMilliseconds: Int((max(now, deadline) - now) / 1_000_000))
    }

    private func run() async {
        while !Task.isCancelled {
            await wakeUp.pause(milliseconds: intervalMilliseconds)
            await export()
            if wakeUp.isStopping { return }
        }
    }

    private func export() async {
        let (encoding, formats, services, start) = (encoding, senders.formats, services, startNanoseconds)
        let clock = TelemetryClock.system
        let begun = clock.monotonicNanoseconds()
        let encoded = try? await worker.run {
            OTLPMetricEncoder(startNanoseconds: start, nowNanoseconds: clock.wallNanoseconds())
                .requests(services()).map { request in
                    request.body.withUnsafeBytes {
                        encoding.messages($0, itemCount: request.pointCount, formats)
                    }
                }
        }
        durations.record(Double(clock.monotonicNanoseconds() - begun) / 1e9)
        // The next round tells the same and more: what is missed here is not lost.
        for messages in encoded ?? [] { senders.offer(messages) }
    }
}
