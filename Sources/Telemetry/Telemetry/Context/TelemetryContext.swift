/// What the current task knows about the request that it works for: the active span, the request id, baggage.
///
/// Immutable and shared: entering a span makes a new context. It travels with the task as a task-local value,
/// so that a query, a message or a log line three calls deeper is linked without being told.
package final class TelemetryContext: Sendable {
    /// The span that new spans become children of, and that log lines name.
    package let span: SpanContext?
    /// The `X-Request-ID` of the request.
    package let requestID: String?
    /// W3C baggage that is carried to every hop.
    package let baggage: Baggage
    /// Monotonic nanoseconds after which nobody waits for the answer, or nil.
    package let deadline: UInt64?
    /// Where the request's lines below the log's level are kept, or nil.
    package let details: LogDetails?

    /// - Parameter span: an invalid one is none: that of a tracer that is switched off.
    package init(
        span: SpanContext? = nil, requestID: String? = nil, baggage: Baggage = Baggage(), deadline: UInt64? = nil,
        details: LogDetails? = nil
    ) {
        self.span = span?.isValid == true ? span : nil
        self.requestID = requestID
        self.baggage = baggage
        self.deadline = deadline
        self.details = details
    }

    /// The context of the calling task; an empty one outside of any request.
    @TaskLocal package static var current = TelemetryContext()

    /// A context whose spans are not kept: for what happens every second and tells nobody anything.
    package static var unsampled: TelemetryContext {
        TelemetryContext(
            span: SpanContext(
                traceID: TraceID(high: .random(in: 1 ... .max), low: .random(in: 1 ... .max)),
                spanID: SpanID(.random(in: 1 ... .max)), isSampled: false))
    }

    /// The same context inside another span.
    package func entering(_ span: SpanContext) -> TelemetryContext {
        TelemetryContext(
            span: span, requestID: requestID, baggage: baggage, deadline: deadline, details: details)
    }

    /// The same context for what must be done even when the request's time is over.
    package var withoutDeadline: TelemetryContext {
        TelemetryContext(span: span, requestID: requestID, baggage: baggage, details: details)
    }

    /// The same context, whose lines below the log's level are kept.
    func keeping(_ details: LogDetails) -> TelemetryContext {
        TelemetryContext(span: span, requestID: requestID, baggage: baggage, deadline: deadline, details: details)
    }

    /// Milliseconds, 1 or more, that what serves the current request may take: until its deadline, and `limit` at most.
    /// Nil when the deadline has passed.
    package static func millisecondsLeft(atMost limit: Int) -> Int? {
        guard let deadline = current.deadline else { return limit }
        let now = TelemetryClock.system.monotonicNanoseconds()
        return deadline > now ? min(limit, Int(clamping: (deadline - now) / 1_000_000) + 1) : nil
    }
}
