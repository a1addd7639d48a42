internal import EventLoop
internal import HTTP
internal import HTTPCodec
package import Telemetry
internal import TelemetrySDK

/// Answers `GET /metrics`: reads, encodes and compresses on a thread of its own, so that a scrape of many series never
/// keeps requests waiting; scrapes wait for each other, and a flood of them is refused.
package struct MetricsEndpoint: Sendable {
    package static let duration = Histogram(
        "otel_sdk_metric_reader_collection_duration_seconds", unit: .seconds,
        help: "Duration of reading and encoding the metrics of this service for one scrape.",
        buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1])
    package static let series = Gauge(
        "telemetry_series", help: "Series that the last scrape of this service showed.")
    package static let refused = Counter(
        "telemetry_scrapes_refused_total", help: "Scrapes answered 503 because too many were waiting.")

    /// Every metric of the endpoint.
    package static let declarations: [MetricDeclaration] = [
        duration.declaration, series.declaration, refused.declaration,
    ]

    /// Scrapes of all services of the process that may wait.
    private static let maxWaiting = 16

    private let registry: MetricRegistry
    private let thread: WorkerPool
    private let durations: HistogramSeries
    private let shown: GaugeSeries
    private let refusals: CounterSeries

    init(_ registry: MetricRegistry, on thread: WorkerPool) {
        self.registry = registry
        self.thread = thread
        durations = registry.histogram(Self.duration).series()
        shown = registry.gauge(Self.series).series()
        refusals = registry.counter(Self.refused).series()
    }

    /// The thread that the services of a process share.
    static func makeThread() -> WorkerPool { WorkerPool(threads: 1, capacity: maxWaiting, name: "scrape") }

    func respond(accept: String?, acceptEncoding: String?) async -> HTTPResponse {
        let rendered: MetricsExposition.Rendered
        do {
            rendered = try await thread.run { [self] in render(accept, acceptEncoding) }
        } catch {
            refusals.increment()
            return Self.busy
        }
        var response = HTTPResponse(body: .bytes(rendered.body))
        response.headers.add("content-type", rendered.contentType)
        if let encoding = rendered.contentEncoding { response.headers.add("content-encoding", encoding) }
        response.headers.add("vary", "accept, accept-encoding")
        return response
    }

    private func render(_ accept: String?, _ acceptEncoding: String?) -> MetricsExposition.Rendered {
        let start = TelemetryClock.system.monotonicNanoseconds()
        let rendered = MetricsExposition.render(registry, accept: accept, acceptEncoding: acceptEncoding)
        durations.record(Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9)
        shown.set(Double(rendered.series))
        return rendered
    }

    private static var busy: HTTPResponse {
        var response = HTTPResponse(
            status: .serviceUnavailable, body: .bytes(Array("too many scrapes are waiting\n".utf8)))
        response.headers.add("content-type", "text/plain; charset=utf-8")
        response.headers.add("retry-after", "1")
        return response
    }
}
