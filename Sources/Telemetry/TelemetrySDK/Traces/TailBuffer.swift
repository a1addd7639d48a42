internal import Synchronization
package import Telemetry

/// Keeps the spans of traces that were not sampled until it is known whether they were worth it: a trace with an error or
/// a slow request goes to the processor, one whose root ends well is forgotten. Bounded by spans, bytes and age; what has
/// to leave early is counted.
package final class TailBuffer: SpanSink {
    package struct Configuration: Sendable {
        /// A request (a span without a parent, or of kind server or consumer) that takes so long is kept.
        package var slowNanoseconds: UInt64 = 500_000_000
        /// Spans that wait at most.
        package var maxSpans = 16_384
        /// Bytes of spans that wait at most.
        package var maxBytes = 16 * 1024 * 1024
        /// How long a trace may take; it is forgotten after that.
        package var maxAgeNanoseconds: UInt64 = 30_000_000_000
        package init() {}
    }

    package static let outcomes = Counter(
        "telemetry_tail_spans_total",
        help: "Spans of traces that were not sampled beforehand, by what became of them: kept, discarded, evicted.",
        labels: ["outcome"])
    static let waiting = Gauge("telemetry_tail_waiting_spans", help: "Spans whose trace has not been decided on.")

    private struct Trace {
        var spans: [Span] = []
        var byteCount = 0
        var isKept = false
        /// When its first span came, on the monotonic clock.
        let since: UInt64
        /// Tells it from an earlier trace of the same identifier.
        let number: UInt64
    }

    /// The traces of one part of the identifiers.
    private struct Part {
        var traces: [TraceID: Trace] = [:]
        /// Traces in the order in which they came; some are not there any more.
        var order: [(id: TraceID, number: UInt64)] = []
        var head = 0
        /// Traces that ever came.
        var arrivals: UInt64 = 0
        var spanCount = 0
        var byteCount = 0

        /// A trace that was not there, with its place in the order.
        mutating func makeTrace(_ id: TraceID, since: UInt64) -> Trace {
            arrivals &+= 1
            order.append((id, arrivals))
            return Trace(since: since, number: arrivals)
        }

        /// Takes out of the order what is not there any more, once it is most of it: one trace that stays long must not
        /// keep a place for each that comes and goes behind it.
        mutating func compactOrder() {
            guard order.count > 2 * traces.count + TailBuffer.maxStale else { return }
            var kept: [(id: TraceID, number: UInt64)] = []
            kept.reserveCapacity(2 * traces.count + TailBuffer.maxStale)
            for entry in order[head...] where traces[entry.id]?.number == entry.number { kept.append(entry) }
            order = kept
            head = 0
        }
    }

    private final class Shard: Sendable {
        let part = Mutex(Part())
    }

    private enum Verdict {
        /// These go on.
        case keep([Span])
        case wait
        /// So many are forgotten.
        case discard(Int)
    }

    private static let shardCount = 8
    /// Places in the order of a part whose traces are gone, beyond as many as there are traces.
    private static let maxStale = 1_024

    private let next: BatchSpanProcessor
    private let configuration: Configuration
    private let shards: [Shard]
    private let kept: CounterSeries
    private let discarded: CounterSeries
    private let evicted: CounterSeries

    /// - Parameter next: where the spans go that are sampled or worth it.
    package init(_ configuration: Configuration, next: BatchSpanProcessor, metrics: MetricRegistry) {
        self.configuration = configuration
        self.next = next
        shards = (0..<Self.shardCount).map { _ in Shard() }
        let family = metrics.counter(Self.outcomes)
        kept = family.series("kept")
        discarded = family.series("discarded")
        evicted = family.series("evicted")
        metrics.observe(Self.waiting) { [weak self] in Double(self?.count ?? 0) }
    }

    /// Spans that wait.
    package var count: Int { shards.reduce(0) { sum, shard in sum + shard.part.withLock { $0.spanCount } } }

    /// Places that the order of traces takes, those of traces that are gone included.
    var orderCount: Int { shards.reduce(0) { sum, shard in sum + shard.part.withLock { $0.order.count } } }

    package func spanEnded(_ span: Span) {
        guard !span.context.isSampled else { return next.keep(span) }
        let shard = shards[Int(truncatingIfNeeded: span.context.traceID.low) & (Self.shardCount - 1)]
        let (verdict, lost) = shard.part.withLock { part in
            (judge(span, &part), evict(from: &part, now: span.endMonotonicNanoseconds))
        }
        if lost > 0 { evicted.add(Double(lost)) }
        switch verdict {
        case .keep(let spans):
            kept.add(Double(spans.count))
            for span in spans { next.keep(span) }
        case .wait: break
        case .discard(let count): discarded.add(Double(count))
        }
    }

    private func judge(_ span: Span, _ part: inout Part) -> Verdict {
        let id = span.context.traceID
        let known = part.traces[id]
        if known?.isKept == true { return .keep([span]) }
        if isWorthKeeping(span) {
            part.spanCount -= known?.spans.count ?? 0
            part.byteCount -= known?.byteCount ?? 0
            // What of the trace is still to come is kept too.
            var trace = known ?? part.makeTrace(id, since: span.endMonotonicNanoseconds)
            trace.isKept = true
            trace.spans = []
            trace.byteCount = 0
            part.traces[id] = trace
            return .keep((known?.spans ?? []) + [span])
        }
        if span.parent == nil {
            part.traces[id] = nil
            part.spanCount -= known?.spans.count ?? 0
            part.byteCount -= known?.byteCount ?? 0
            return .discard((known?.spans.count ?? 0) + 1)
        }
        if known == nil { part.traces[id] = part.makeTrace(id, since: span.endMonotonicNanoseconds) }
        part.traces[id]?.spans.append(span)
        part.traces[id]?.byteCount += span.byteCount
        part.spanCount += 1
        part.byteCount += span.byteCount
        return .wait
    }

    private func isWorthKeeping(_ span: Span) -> Bool {
        if case .error = span.status { return true }
        let isRequest = span.parent == nil || span.kind == .server || span.kind == .consumer
        return isRequest && span.durationNanoseconds >= configuration.slowNanoseconds
    }

    /// Forgets the oldest traces while there is too much, or they are too old.
    private func evict(from part: inout Part, now: UInt64) -> Int {
        var lost = 0
        while part.head < part.order.count {
            let (id, number) = part.order[part.head]
            if let trace = part.traces[id], trace.number == number {
                let isTooOld = now > trace.since && now - trace.since > configuration.maxAgeNanoseconds
                let isTooMuch =
                    part.spanCount > configuration.maxSpans / Self.shardCount
                    || part.byteCount > configuration.maxBytes / Self.shardCount
                    || part.traces.count > configuration.maxSpans / Self.shardCount
                guard isTooOld || isTooMuch else { break }
                part.traces[id] = nil
                part.spanCount -= trace.spans.count
                part.byteCount -= trace.byteCount
                lost += trace.spans.count
            }
            part.head += 1
        }
        part.compactOrder()
        return lost
    }
}
