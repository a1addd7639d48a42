import ServiceKit
import Telemetry
import TelemetryTesting
import Testing
import Wiring

/// What services declare, and what a check of emitted telemetry finds.
@Suite struct ContractTests {
    private static let orders = Counter("demo_orders_total", help: "Orders.", labels: ["status"])
    private static let placed = LogEvent("demo.placed", help: "An order was placed.")
    private static let contract = TelemetryContract(
        service: "demo",
        scopes: [
            .init("telemetry", Telemetry.declarations),
            .init(
                "demo",
                TelemetryDeclarations(
                    metrics: [orders.declaration],
                    spans: [
                        SpanDeclaration(
                            "job {job}", kind: .internal, help: "A job.", attributes: [AttributeKey("job.size")])
                    ], events: [placed], fields: [AttributeKey("labels.order_id")])),
        ])

    @Test func everyServiceDeclaresSoundNames() {
        for service in ServiceTable.all {
            #expect(service.contract.problems == [], "\(service.name)")
            #expect(!service.contract.metrics.isEmpty)
        }
    }

    @Test func whatIsDeclaredIsNoViolation() async {
        let capture = TelemetryCapture()
        capture.telemetry.metrics.counter(Self.orders).series("ok").increment()
        capture.telemetry.tracer.withSpanNow("job tidy") { span in
            span.set(AttributeKey("job.size"), 3)
            span.recordError(type: "timeout")
        }
        capture.telemetry.logger.log(Self.placed, "placed", [Attribute(AttributeKey("labels.order_id"), .string("1"))])
        #expect(Self.contract.violations(in: capture) == [])
    }

    @Test func anUndeclaredMetricIsAViolation() {
        let capture = TelemetryCapture()
        capture.telemetry.metrics.counter(Counter("demo_rogue_total", help: "?")).series().increment()
        #expect(Self.contract.violations(in: capture) == ["demo: the metric demo_rogue_total is not declared"])
    }

    @Test func anUndeclaredLabelOrTypeIsAViolation() {
        let capture = TelemetryCapture()
        capture.telemetry.metrics.gauge(Gauge("demo_orders_total", help: "?", labels: ["colour"])).series("red").set(1)
        #expect(
            Self.contract.violations(in: capture) == [
                "demo: demo_orders_total has the label colour, which is not declared",
                "demo: demo_orders_total is a gauge, declared as a counter",
            ])
    }

    @Test func anUndeclaredSpanOrAttributeIsAViolation() {
        let capture = TelemetryCapture()
        capture.telemetry.tracer.withSpanNow("rogue") { _ in }
        capture.telemetry.tracer.withSpanNow("job tidy") { $0.set(AttributeKey("job.colour"), "red") }
        #expect(
            Self.contract.violations(in: capture) == [
                "demo: the internal span 'job tidy' has the attribute job.colour, which is not declared",
                "demo: the internal span 'rogue' is not declared",
            ])
    }

    @Test func anUndeclaredEventOrFieldIsAViolation() {
        let capture = TelemetryCapture()
        capture.telemetry.logger.log(LogEvent("demo.rogue", help: "?"), "what")
        capture.telemetry.logger.log(Self.placed, "placed", [Attribute(AttributeKey("labels.colour"), .string("red"))])
        #expect(
            Self.contract.violations(in: capture) == [
                "demo: a line of demo.placed has the field labels.colour, which is not declared",
                "demo: the log event demo.rogue is not declared",
            ])
    }

    @Test(arguments: [
        ("job {job}", "job tidy", true), ("job {job}", "job ", false), ("job {job}", "work tidy", false),
        ("{method} {route}", "GET /orders/{id}", true), ("{method} {route}", "GET", false),
        ("send mail", "send mail", true),
        ("send mail", "send mail again", false), ("{a} of {b}", "one of two of three", true),
    ])
    func aPlaceholderStandsForAnyText(pattern: String, name: String, matches: Bool) {
        let declaration = SpanDeclaration(pattern, kind: .internal, help: "?")
        #expect(declaration.matches(name, kind: .internal) == matches)
        #expect(!declaration.matches(name, kind: .server))
    }
}

extension Tracer {
    fileprivate func withSpanNow(_ name: String, _ body: (Span) -> Void) {
        let span = startSpan(name)
        body(span)
        span.end()
    }
}
