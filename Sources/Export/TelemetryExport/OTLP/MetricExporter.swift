internal import EventLoop
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
    private let task: LoopTask
    private let worker: WorkerPool
    private let encoding = OTLPEncoding(.metrics)
    private let durations: HistogramSeries
    private let startNanoseconds = TelemetryClock.system.wallNanoseconds()

    init(
        senders: OTLPSenders, intervalMilliseconds: Int, group: EventLoopGroup, worker: WorkerPool,
        metrics: MetricRegistry, services: @escaping Services
    ) {
        self.senders = senders
        self.services = services
        self.intervalMilliseconds = intervalMilliseconds
        self.worker = worker
        task = LoopTask(loop: group.next())
        durations = metrics.histogram(Self.duration).series()
    }

    func start() {
        senders.start()
        task.start { [self] in await run() }
    }

    /// Sends the last state, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        start()
        await task.stop(by: deadline)
        await senders.shutdown(timeoutMilliseconds: deadline.millisecondsLeft)
    }

    private func run() async {
        while !Task.isCancelled {
            await task.wakeUp.pause(milliseconds: intervalMilliseconds)
            await export()
            if task.wakeUp.isStopping { return }
        }
    }

    private func export() async {
        let (encoding, formats, services, start) = (encoding, senders.wantedFormats(), services, startNanoseconds)
        guard !formats.isEmpty else { return }
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
