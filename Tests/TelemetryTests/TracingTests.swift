import Telemetry
import TelemetryTesting
import Testing

extension AttributeKey {
    fileprivate static let route = AttributeKey("http.route")
}

@Suite struct TracingTests {
    private struct Refused: Error {}

    @Test func childrenFollowTheTaskAndShareTheTrace() async {
        let capture = TelemetryCapture()
        let tracer = capture.telemetry.tracer
        await tracer.withSpan("outer", kind: .server) { outer in
            #expect(TelemetryContext.current.span == outer.context)
            await tracer.withSpan("inner", kind: .client) { inner in
                #expect(inner.context.traceID == outer.context.traceID)
            }
        }
        #expect(TelemetryContext.current.span == nil)
        #expect(capture.spans.map(\.name) == ["inner", "outer"])
        #expect(capture.spans[0].parent == capture.spans[1].context.spanID)
        #expect(capture.spans[1].parent == nil)
        #expect(capture.spans[1].kind == .server)
    }

    @Test func thrownErrorIsRecordedByItsTypeAndRethrown() async {
        let capture = TelemetryCapture()
        await #expect(throws: Refused.self) {
            try await capture.telemetry.tracer.withSpan("failing") { _ in throw Refused() }
        }
        await #expect(throws: CancellationError.self) {
            try await capture.telemetry.tracer.withSpan("cancelled") { _ in throw CancellationError() }
        }
        #expect(capture.spans(named: "failing")[0].attributes["error.type"] == "Refused")
        #expect(capture.spans(named: "failing")[0].status == .error(""))
        #expect(capture.spans(named: "cancelled")[0].status == .unset)
    }

    @Test func requestIDAndBaggageSurviveEnteringASpan() async {
        let capture = TelemetryCapture()
        var baggage = Baggage()
        baggage["tenant"] = "acme"
        let context = TelemetryContext(requestID: "id", baggage: baggage, deadline: 7)
        await capture.telemetry.tracer.withSpan("work", parent: context) { _ in
            #expect(TelemetryContext.current.requestID == "id")
            #expect(TelemetryContext.current.baggage["tenant"] == "acme")
            #expect(TelemetryContext.current.deadline == 7)
        }
    }

    @Test func unsampledSpanKeepsItsContextAndIsNotRecorded() {
        let capture = TelemetryCapture(sampler: .parentBased(root: .alwaysOff))
        let root = capture.telemetry.tracer.startSpan("root")
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true, traceState: "v=1")
        let child = capture.telemetry.tracer.startSpan("child", parent: TelemetryContext(span: remote))
        root.set(.route, "/")
        root.end()
        child.end()
        #expect(root.context.traceID.isValid && root.context.spanID.isValid)
        #expect(!root.context.isSampled && !root.isRecording)
        #expect(child.context.traceState == "v=1")
        #expect(capture.spans.map(\.name) == ["child"])
        #expect(capture.value(#"otel_sdk_span_started_total{otel_span_sampling_result="DROP"}"#) == 1)
        #expect(capture.value(#"otel_sdk_span_started_total{otel_span_sampling_result="RECORD_AND_SAMPLE"}"#) == 1)
    }

    @Test func limitsAreCountedAndEndIsFinal() {
        let capture = TelemetryCapture()
        let span = capture.telemetry.tracer.startSpan("big")
        for index in 0..<200 {
            span.set(AttributeKey("key\(index)"), index)
            span.addEvent("event\(index)")
            span.addLink(SpanLink(span.context))
        }
        span.set(AttributeKey("key0"), "again")
        span.set(AttributeKey("key1"), String(repeating: "é", count: 20_000))
        span.end()
        span.set(AttributeKey("late"), 1)
        span.updateName("late")
        span.end()
        let ended = capture.endedSpans[0]
        #expect(capture.endedSpans.count == 1)
        #expect(ended.attributes.count == 128 && ended.droppedAttributes == 72)
        #expect(ended.events.count == 128 && ended.droppedEvents == 72)
        #expect(ended.links.count == 128 && ended.droppedLinks == 72)
        #expect(ended.name == "big")
        #expect(capture.spans[0].attributes["key0"] == "again")
        #expect(capture.spans[0].attributes["late"] == nil)
        if case .string(let text)? = capture.spans[0].attributes["key1"] {
            #expect(text.utf8.count == 16 * 1024)
        } else {
            Issue.record("key1 has no text")
        }
    }

    /// However often and in whatever order keys are set again, each is there once, with its last value.
    @Test func everyKeyIsThereOnceWithItsLastValue() {
        let capture = TelemetryCapture()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let span = capture.telemetry.tracer.startSpan("many")
            var expected: [String: AttributeValue] = [:]
            for step in 0..<Int.random(in: 1...120, using: &random) {
                let key = "key\(Int.random(in: 0..<40, using: &random))"
                let value: AttributeValue =
                    step % 3 == 0 ? .int(step) : .string(String(repeating: "v", count: step * 3))
                span.set(AttributeKey(key), value)
                expected[key] = value
            }
            span.end()
            #expect(span.attributes.count == expected.count)
            #expect(Dictionary(uniqueKeysWithValues: span.attributes.map { ($0.key.name, $0.value) }) == expected)
        }
    }

    @Test func spansThatAreNeverEndedAreNotAlive() {
        let capture = TelemetryCapture()
        let ended = capture.telemetry.tracer.startSpan("ended")
        do { _ = capture.telemetry.tracer.startSpan("forgotten") }
        let open = capture.telemetry.tracer.startSpan("open")
        #expect(capture.value("otel_sdk_span_live") == 2)
        ended.end()
        #expect(capture.value("otel_sdk_span_live") == 1)
        open.end()
        #expect(capture.value("otel_sdk_span_live") == 0)
    }

    @Test func okStatusIsFinal() {
        let capture = TelemetryCapture()
        let span = capture.telemetry.tracer.startSpan("status")
        span.setStatus(.error("first"))
        span.setStatus(.unset)
        #expect(span.status == .error("first"))
        span.setStatus(.ok)
        span.setStatus(.error("late"))
        #expect(span.status == .ok)
    }

    @Test func durationIgnoresStepsOfTheWallClock() {
        let clock = ManualClock(wallNanoseconds: 1_000_000_000_000)
        let capture = TelemetryCapture(clock: clock)
        let span = capture.telemetry.tracer.startSpan("timed")
        clock.advance(nanoseconds: 1_500)
        clock.stepWall(toNanoseconds: 5)
        span.end()
        #expect(capture.spans[0].durationNanoseconds == 1_500)
        #expect(capture.endedSpans[0].startWallNanoseconds == 1_000_000_000_000)
    }

    @Test(
        arguments: [
            ("always_on", nil, 1_000...1_000), ("always_off", nil, 0...0), ("traceidratio", "0", 0...0),
            ("traceidratio", "1", 1_000...1_000), ("traceidratio", "0.5", 380...620),
            ("parentbased_traceidratio", "0.1", 40...180), ("parentbased_always_on", nil, 1_000...1_000),
            ("parentbased_always_off", "", 0...0),
        ] as [(String, String?, ClosedRange<Int>)])
    func samplersOfTheEnvironment(name: String, argument: String?, expected: ClosedRange<Int>) throws {
        let ratio = argument.flatMap(Double.init)
        let sampler = try #require(ratio.map { Sampler(name: name, ratio: $0) } ?? Sampler(name: name))
        let tracer = TelemetryCapture(sampler: sampler).telemetry.tracer
        let sampled = (0..<1_000).count { _ in tracer.startSpan("x").context.isSampled }
        #expect(expected.contains(sampled))
    }

    @Test func unknownSamplersAreRefused() {
        #expect(Sampler(name: "sometimes") == nil)
        #expect(Sampler(name: "ALWAYS_ON") == nil)
    }

    @Test(arguments: [true, false])
    func aServiceThatIsSwitchedOffPassesItsCallersContextOn(isSampled: Bool) async {
        let capture = TelemetryCapture(sampler: .passThrough)
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: isSampled, traceState: "a=b",
            isRandom: true, isRemote: true)
        let caller = TelemetryContext(span: remote, requestID: "r", baggage: Baggage())
        let sent: [String: String] = await capture.telemetry.tracer.withSpan("server", parent: caller) { span in
            span.recordError(type: "oops")
            #expect(span.context == remote && !span.isRecording)
            let inner = capture.telemetry.tracer.startSpan("client", kind: .client)
            var headers: [String: String] = [:]
            Propagation.inject(TelemetryContext.current.entering(inner.context)) { headers[$0] = $1 }
            inner.end()
            return headers
        }
        #expect(sent["traceparent"] == "00-\(remote.traceID)-\(remote.spanID)-\(isSampled ? "03" : "02")")
        #expect(sent["tracestate"] == "a=b" && sent["x-request-id"] == "r")
        #expect(capture.spans.isEmpty && capture.value("otel_sdk_span_live") == 0)
    }

    @Test func aServiceThatIsSwitchedOffStartsNoTrace() async {
        let capture = TelemetryCapture(sampler: .passThrough)
        await capture.telemetry.tracer.withSpan("job") { span in
            #expect(!span.context.isValid && TelemetryContext.current.span == nil)
            var headers: [String: String] = [:]
            Propagation.inject(TelemetryContext.current, span: span.context) { name, value in
                headers[name] = String(decoding: value, as: UTF8.self)
            }
            #expect(headers["traceparent"] == nil)
        }
    }

    @Test func everyProcessDecidesAlikeOnATraceID() {
        let one = TelemetryCapture(sampler: .traceIDRatio(0.3)).telemetry.tracer
        let other = TelemetryCapture(sampler: .traceIDRatio(0.3)).telemetry.tracer
        for _ in 0..<500 {
            let span = one.startSpan("x")
            let parent = TelemetryContext(span: span.context)
            #expect(other.startSpan("y", parent: parent).context.isSampled == span.context.isSampled)
        }
    }

    @Test func disabledTelemetryRecordsNothing() {
        let telemetry = Telemetry.disabled()
        let span = telemetry.tracer.startSpan("x")
        span.set(.route, "/")
        span.end()
        #expect(!span.isRecording && span.attributes.isEmpty && !span.context.isSampled)
    }
}
