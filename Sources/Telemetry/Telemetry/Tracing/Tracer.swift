internal import Synchronization

/// A `ServiceResource` that spans share; its identity groups them by service.
package final class ServiceResourceReference: Sendable {
    package let value: ServiceResource
    package init(_ value: ServiceResource) { self.value = value }
}

/// Starts spans for one service.
package final class Tracer: Sendable {
    package let resource: ServiceResourceReference
    let clock: TelemetryClock
    let limits: SpanLimits
    private let sampler: Sampler
    private let sink: (any SpanSink)?
    private let sampled: CounterSeries
    private let recorded: CounterSeries
    private let dropped: CounterSeries
    /// Spans that were started and ended, to tell how many are alive.
    private let live = ShardedCells(cellCount: 1)

    /// OpenTelemetry semantic conventions, `otel.sdk.span.started`.
    static let started = Counter(
        "otel_sdk_span_started_total", help: "Spans started, by the sampler's decision.",
        labels: ["otel_span_sampling_result"])
    /// OpenTelemetry semantic conventions, `otel.sdk.span.live`.
    static let alive = Gauge("otel_sdk_span_live", help: "Recording spans that have not ended.")

    init(
        resource: ServiceResource, sampler: Sampler, sink: (any SpanSink)?, clock: TelemetryClock,
        limits: SpanLimits, metrics: MetricRegistry
    ) {
        self.resource = ServiceResourceReference(resource)
        self.sampler = sampler
        self.sink = sink
        self.clock = clock
        self.limits = limits
        let family = metrics.counter(Self.started)
        sampled = family.series("RECORD_AND_SAMPLE")
        recorded = family.series("RECORD_ONLY")
        dropped = family.series("DROP")
        metrics.observe(Self.alive) { [weak self] in self?.liveSpans ?? 0 }
    }

    /// Recording spans that have not ended.
    private var liveSpans: Double {
        var sum = 0.0
        live.forEachBlock { sum += Double(bitPattern: $0[0].load(ordering: .relaxed)) }
        return sum
    }

    /// Starts a span; the caller ends it.
    /// - Parameter parent: the context whose span becomes the parent; a context without a span starts a trace.
    package func startSpan(
        _ name: String, kind: SpanKind = .internal, parent: TelemetryContext = .current, links: [SpanLink] = []
    ) -> Span {
        let parentSpan = parent.span
        if sampler.passesThrough { return passThrough(parentSpan, kind) }
        let state = ThreadState.current
        let spanID = SpanID(state.pointee.random.nextNonZero())
        let traceID =
            parentSpan?.traceID
            ?? TraceID(high: state.pointee.random.next(), low: state.pointee.random.nextNonZero())
        let decision = sampler.decide(traceID: traceID, name: name, kind: kind, parent: parentSpan)
        switch decision {
        case .recordAndSample: sampled.increment()
        case .record: recorded.increment()
        case .drop: dropped.increment()
        }
        var record: UnsafeMutablePointer<SpanRecord>?
        if decision != .drop, sink != nil {
            record = state.pointee.spanRecords.take()
            live.add(1, toCell: 0)
        }
        // A trace identifier of our own is random in all its bits (W3C Trace Context level 2).
        var context = SpanContext(
            traceID: traceID, spanID: spanID, isSampled: decision == .recordAndSample,
            traceState: parentSpan?.traceState ?? "", isRandom: parentSpan?.isRandom ?? true)
        context.isRecording = record != nil
        return Span(
            name: name, kind: kind, context: context, parent: parentSpan, links: links,
            record: record, tracer: self)
    }

    /// What stands for a span where none are made.
    @inline(never)
    private func passThrough(_ parent: SpanContext?, _ kind: SpanKind) -> Span {
        var context = parent ?? SpanContext(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0), isSampled: false)
        context.isRecording = false
        return Span(name: "", kind: kind, context: context, parent: parent, links: [], record: nil, tracer: self)
    }

    /// Runs `body` inside a new span that is current for it. A thrown error is recorded by its type, and rethrown;
    /// cancellation is the caller's wish, not an error.
    package func withSpan<T>(
        _ name: String, kind: SpanKind = .internal, parent: TelemetryContext = .current, links: [SpanLink] = [],
        _ body: (Span) async throws -> T
    ) async rethrows -> T {
        let span = startSpan(name, kind: kind, parent: parent, links: links)
        defer { span.end() }
        do {
            return try await TelemetryContext.$current.withValue(parent.entering(span.context)) {
                try await body(span)
            }
        } catch {
            if !(error is CancellationError) { span.recordError(type: ErrorType.name(of: error)) }
            throw error
        }
    }

    func ended(_ span: Span) {
        live.add(-1, toCell: 0)
        sink?.spanEnded(span)
    }

    /// A recording span is gone that was never ended: its owner's mistake, or a task that was thrown away.
    func forgotten() { live.add(-1, toCell: 0) }
}

/// An error that names itself for `error.type`: a short fixed identifier, such as an SQLSTATE.
package protocol ErrorTypeProviding: Error {
    var errorType: String { get }
}

/// The `error.type` of any error (OpenTelemetry semantic conventions): low in cardinality, never its message.
package enum ErrorType {
    /// The error's own identifier, else the name of its type.
    package static func name(of error: any Error) -> String {
        if let error = error as? any ErrorTypeProviding { return error.errorType }
        return String(describing: type(of: error))
    }
}
