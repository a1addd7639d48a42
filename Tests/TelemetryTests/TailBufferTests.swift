import Telemetry
import Testing

@testable import TelemetrySDK

@Suite struct TailBufferTests {
    private let clock = ManualClock()
    private let metrics = MetricRegistry()

    private func make(
        ratio: Double = 0, dropped: Set<String> = [], _ change: (inout TailBuffer.Configuration) -> Void = { _ in }
    ) -> (Tracer, BatchSpanProcessor, TailBuffer) {
        var configuration = TailBuffer.Configuration()
        configuration.slowNanoseconds = 100
        change(&configuration)
        let processor = BatchSpanProcessor(metrics: metrics) {}
        let tail = TailBuffer(configuration, next: processor, metrics: metrics)
        let telemetry = Telemetry(
            resource: ServiceResource(name: "x"), sampler: .rules(ratio: ratio, droppedRoutes: dropped), spanSink: tail,
            logSink: nil, clock: .manual(clock))
        return (telemetry.tracer, processor, tail)
    }

    private func outcome(_ name: String) -> Double { metrics.counter(TailBuffer.outcomes).series(name).value }

    private func child(_ tracer: Tracer, of span: Span, kind: SpanKind = .internal) -> Span {
        tracer.startSpan("child", kind: kind, parent: TelemetryContext(span: span.context))
    }

    @Test func aTraceThatEndsWellIsForgotten() {
        let (tracer, processor, tail) = make()
        let root = tracer.startSpan("GET /a", kind: .server)
        #expect(root.isRecording && !root.context.isSampled)
        child(tracer, of: root).end()
        #expect(tail.count == 1)
        root.end()
        #expect(tail.count == 0 && processor.count == 0)
        #expect(outcome("discarded") == 2)
    }

    @Test func anErrorKeepsTheWholeTraceWhereverItIs() {
        let (tracer, processor, tail) = make()
        let root = tracer.startSpan("GET /a", kind: .server)
        child(tracer, of: root).end()
        let broken = child(tracer, of: root)
        broken.recordError(type: "oops")
        broken.end()
        #expect(processor.count == 2)
        child(tracer, of: root).end()
        root.end()
        #expect(processor.count == 4 && tail.count == 0)
        #expect(outcome("kept") == 4 && outcome("discarded") == 0)
    }

    @Test func aSlowRequestIsKeptAndASlowPartOfItIsNotAReason() {
        let (tracer, processor, _) = make()
        let root = tracer.startSpan("GET /a", kind: .server)
        clock.advance(nanoseconds: 60)
        let inner = child(tracer, of: root)
        clock.advance(nanoseconds: 60)
        inner.end()
        #expect(processor.count == 0)
        root.end()
        #expect(processor.count == 2)
        let other = tracer.startSpan("GET /a", kind: .server)
        let slow = child(tracer, of: other)
        clock.advance(nanoseconds: 99)
        slow.end()
        other.end()
        #expect(processor.count == 2)
    }

    @Test func routesOfMonitoringAreDroppedWithWhatIsBelow() {
        let (tracer, processor, tail) = make(ratio: 1, dropped: ["/health"])
        let root = tracer.startSpan("GET /health", kind: .server)
        let inner = child(tracer, of: root)
        inner.recordError(type: "oops")
        inner.end()
        root.end()
        #expect(!root.isRecording && !inner.isRecording && root.context.traceID.isValid)
        #expect(processor.count == 0 && tail.count == 0)
        tracer.startSpan("GET /healthy", kind: .server).end()
        #expect(processor.count == 1)
    }

    @Test func aSampledParentIsObeyedAndAShareIsSampled() {
        let (tracer, processor, _) = make(ratio: 0.5)
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: .max), spanID: SpanID(3), isSampled: true, isRemote: true)
        tracer.startSpan("x", parent: TelemetryContext(span: remote)).end()
        #expect(processor.count == 1)
        let sampled = (0..<400).count { _ in
            let span = tracer.startSpan("GET /a")
            span.end()
            return span.context.isSampled
        }
        #expect((100...300).contains(sampled))
        #expect(processor.count == 1 + sampled)
    }

    @Test func memoryIsBoundedBySpansBytesAndAge() {
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 8), spanID: SpanID(3), isSampled: false, isRemote: true)
        func fill(_ tracer: Tracer, _ count: Int, from first: Int = 0) {
            for index in first..<(first + count) {
                var parent = remote
                // All in one part of the identifiers.
                parent.traceID = TraceID(high: UInt64(index), low: 8)
                tracer.startSpan("x", parent: TelemetryContext(span: parent)).end()
            }
        }
        let (few, _, spans) = make { $0.maxSpans = 80 }
        fill(few, 100)
        #expect(spans.count == 10 && outcome("evicted") == 90)
        let (small, _, bytes) = make { $0.maxBytes = 80_000 }
        fill(small, 1_000)
        #expect(bytes.count > 3 && bytes.count < 40)
        let (old, _, aged) = make { $0.maxAgeNanoseconds = 1_000 }
        fill(old, 5)
        clock.advance(nanoseconds: 2_000)
        fill(old, 1, from: 100)
        #expect(aged.count == 1)
    }

    /// Ends a span of another process's trace: nobody here can tell that the trace is over.
    private func wait(_ tracer: Tracer, high: UInt64, low: UInt64) {
        let remote = SpanContext(
            traceID: TraceID(high: high, low: low), spanID: SpanID(3), isSampled: false, isRemote: true)
        tracer.startSpan("x", parent: TelemetryContext(span: remote)).end()
    }

    @Test func spansAgeHoweverTheWallClockSteps() {
        let (tracer, _, tail) = make { $0.maxAgeNanoseconds = 1_000 }
        wait(tracer, high: 1, low: 8)
        clock.stepWall(toNanoseconds: clock.wallNanoseconds - 600_000_000_000)
        clock.advance(nanoseconds: 2_000)
        wait(tracer, high: 2, low: 8)
        #expect(tail.count == 1 && outcome("evicted") == 1)
        clock.stepWall(toNanoseconds: clock.wallNanoseconds + 600_000_000_000)
        wait(tracer, high: 3, low: 8)
        #expect(tail.count == 2 && outcome("evicted") == 1)
    }

    @Test func aTraceThatStaysKeepsNoPlaceForThoseThatComeAndGo() {
        let (tracer, _, tail) = make()
        // One in each part of the identifiers.
        for low in 1...8 { wait(tracer, high: 1, low: UInt64(low)) }
        for _ in 0..<20_000 {
            let root = tracer.startSpan("GET /a", kind: .server)
            child(tracer, of: root).end()
            root.end()
        }
        #expect(tail.count == 8 && outcome("discarded") == 40_000)
        #expect(tail.orderCount <= 8 * 1_100)
        // The order is still that of their coming.
        clock.advance(nanoseconds: 31_000_000_000)
        for low in 1...8 { wait(tracer, high: 2, low: UInt64(low)) }
        #expect(tail.count == 8 && outcome("evicted") == 8)
    }

    @Test func aTraceThatComesBackIsAsOldAsItsReturn() {
        let (tracer, _, tail) = make { $0.maxAgeNanoseconds = 1_000 }
        wait(tracer, high: 1, low: 8)
        let remote = SpanContext(traceID: TraceID(high: 2, low: 8), spanID: SpanID(3), isSampled: false, isRemote: true)
        let parent = TelemetryContext(span: remote)
        tracer.startSpan("x", parent: parent).end()
        clock.advance(nanoseconds: 2_000)
        tracer.startSpan("late", parent: parent).end()
        #expect(tail.count == 0 && outcome("evicted") == 3)
        tracer.startSpan("later", parent: parent).end()
        clock.advance(nanoseconds: 900)
        wait(tracer, high: 3, low: 8)
        #expect(tail.count == 2 && outcome("evicted") == 3)
    }
}
