import EventLoop
import Telemetry
import TelemetrySDK
import Testing

@testable import TelemetryExport

@Suite struct PipelineTests {
    static let event = LogEvent("test.line", help: "A line of a test.")

    @Test func withoutACollectorContextsAreSampledAndNothingIsQueued() {
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let pipeline = TelemetryPipeline(values: [:], group: group)
        let telemetry = pipeline.telemetry(for: "orders")
        let span = telemetry.tracer.startSpan("x")
        span.end()
        #expect(span.context.isSampled && span.context.traceID.isValid)
        #expect(!span.isRecording)
        let text = String(
            decoding: MetricsExposition.render(pipeline.processMetrics, format: .fallback), as: UTF8.self)
        #expect(!text.contains("otel_sdk_processor_span_queue_size"))
    }

    @Test func serviceHasOneTelemetryAndEveryServiceShowsTheProcess() {
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let pipeline = TelemetryPipeline(values: [:], group: group)
        let orders = pipeline.telemetry(for: "orders")
        let payments = pipeline.telemetry(for: "payments")
        #expect(pipeline.telemetry(for: "orders") === orders)
        #expect(orders.serviceName == "orders")
        #expect((orders.metrics.value("process_resident_memory_bytes") ?? 0) > 1e6)
        #expect((payments.metrics.value("process_resident_memory_bytes") ?? 0) > 1e6)
        orders.metrics.counter(Counter("a_total", help: "A.")).series().increment()
        #expect(payments.metrics.value("a_total") == nil)
    }

    @Test func aServiceThatIsAloneIsNamedByTheSettings() async {
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let values = ["OTEL_SERVICE_NAME": "checkout"]
        let alone = TelemetryPipeline(values: values, group: group).telemetry(for: "orders")
        #expect(alone.serviceName == "checkout")
        let pipeline = TelemetryPipeline(values: values, group: group, hasManyServices: true)
        #expect(pipeline.telemetry(for: "orders").serviceName == "orders")
        #expect(pipeline.telemetry(for: "payments").serviceName == "payments")
    }

    @Test func warningsAndLinesAreWrittenAndEachServiceHasItsLevel() async {
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let pipe = TestPipe()
        let configuration = ExportConfiguration(values: ["OTEL_TRACES_SAMPLER": "sometimes", "LOG_LEVEL": "warn"])
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: pipe.writing)
        let orders = pipeline.telemetry(for: "orders")
        let payments = pipeline.telemetry(for: "payments")
        await pipeline.start()
        orders.logger.log(Self.event, "hidden")
        orders.logger.level.level = .info
        orders.logger.log(Self.event, "shown")
        payments.logger.log(Self.event, "hidden, too")
        await pipeline.shutdown(timeoutSeconds: 5)
        let lines = pipe.read().split(separator: "\n")
        #expect(lines.contains { $0.contains("telemetry.setting_ignored") && $0.contains("OTEL_TRACES_SAMPLER") })
        #expect(lines.contains { $0.contains("\"message\":\"shown\"") && $0.contains("\"service.name\":\"orders\"") })
        #expect(!lines.contains { $0.contains("hidden") })
    }
}
