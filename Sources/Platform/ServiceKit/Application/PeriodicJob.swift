internal import EventLoop
internal import Synchronization
package import Telemetry

/// Names that periodic jobs emit.
package enum JobTelemetry {
    package static let runs = Counter(
        "job_runs_total", help: "Runs of periodic jobs, by outcome.", labels: ["job", "outcome"])
    package static let duration = Histogram(
        "job_duration_seconds", unit: .seconds, help: "Duration of the runs of periodic jobs.", labels: ["job"])
    package static let lastSuccess = Gauge(
        "job_last_success_timestamp_seconds", unit: .seconds,
        help: "When a periodic job last succeeded, in seconds since 1970.", labels: ["job"])

    /// Every metric that periodic jobs emit.
    package static let metrics: [MetricDeclaration] = [
        runs.declaration, duration.declaration, lastSuccess.declaration,
    ]

    package static let failed = LogEvent(
        "job.failed", level: .error, help: "A run of a periodic job failed; the next one comes as usual.")
}

/// Something that a service does every so often: one run at a time, each in a trace of its own, counted and measured.
final class PeriodicJob: Sendable {
    let name: String
    private let milliseconds: Int
    private let telemetry: Telemetry
    private let body: @Sendable () async throws -> Void
    private let successes: CounterSeries
    private let failures: CounterSeries
    private let duration: HistogramSeries
    private let lastSuccess: GaugeSeries
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(
        name: String, milliseconds: Int, telemetry: Telemetry, body: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.milliseconds = max(1, milliseconds)
        self.telemetry = telemetry
        self.body = body
        let runs = telemetry.metrics.counter(JobTelemetry.runs)
        successes = runs.series(name, "success")
        failures = runs.series(name, "failure")
        duration = telemetry.metrics.histogram(JobTelemetry.duration).series(name)
        lastSuccess = telemetry.metrics.gauge(JobTelemetry.lastSuccess).series(name)
    }

    /// The first run comes after one period.
    func start(on loop: EventLoop) {
        let running = loop.spawn { [self] in
            while !Task.isCancelled {
                do { try await loop.sleep(milliseconds: UInt64(milliseconds)) } catch { return }
                await run()
            }
        }
        task.withLock { $0 = running }
    }

    /// Cancels, and waits for the run under way.
    func stop() async {
        let running = task.withLock { task in
            let running = task
            task = nil
            return running
        }
        running?.cancel()
        await running?.value
    }

    /// - Returns: false when the run failed.
    private func attempt(_ span: Span) async -> Bool {
        do {
            try await body()
            successes.increment()
            lastSuccess.set(Double(TelemetryClock.system.wallNanoseconds()) / 1e9)
        } catch is CancellationError {
            // The service stops.
        } catch {
            failures.increment()
            let type = HTTPError.type(of: error)
            span.recordError(type: type)
            telemetry.logger.log(
                JobTelemetry.failed, "job \(name) failed: \(type)",
                [Attribute(.errorType, .string(type)), Attribute(.errorMessage, .string("\(error)"))])
            return false
        }
        return true
    }

    private func run() async {
        let start = TelemetryClock.system.monotonicNanoseconds()
        let context = TelemetryContext(requestID: Propagation.makeRequestID())
        let span = telemetry.tracer.startSpan("job \(name)", parent: context)
        await TelemetryContext.$current.withValue(context.entering(span.context)) {
            await telemetry.logger.withDetails { ((), await !attempt(span)) }
        }
        span.end()
        duration.record(
            Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
    }
}
