import Telemetry
import TelemetryTesting
import Testing

@Suite struct TelemetryCaptureTests {
    @Test func edgesGoFromParentsAndLinkedSpansAcrossServices() async {
        let orders = TelemetryCapture(serviceName: "orders")
        let stock = TelemetryCapture(serviceName: "stock")
        let created = orders.telemetry.tracer.startSpan("publish order.created", kind: .producer)
        created.end()
        await orders.telemetry.tracer.withSpan("POST /orders", kind: .server) { _ in
            await orders.telemetry.tracer.withSpan("GET", kind: .client) { _ in
                await stock.telemetry.tracer.withSpan("GET /stock", kind: .server) { _ in }
            }
        }
        stock.telemetry.tracer.startSpan("process order.created", kind: .consumer, links: [SpanLink(created.context)])
            .end()
        #expect(
            SpanEdge.between([orders, stock]) == [
                SpanEdge("POST /orders", "GET"), SpanEdge("GET", "GET /stock"),
                SpanEdge("publish order.created", "process order.created", .link),
            ])
        // Each alone knows its own only.
        #expect(orders.edges == [SpanEdge("POST /orders", "GET")])
        #expect(stock.edges.isEmpty)
    }

    @Test func deltaIsWhatASeriesGrewByMeanwhile() async {
        let capture = TelemetryCapture()
        let family = capture.telemetry.metrics.counter(Counter("sold_total", help: "Sold.", labels: ["what"]))
        family.series("tea").add(3)
        let delta = await capture.delta(of: #"sold_total{what="tea"}"#) { family.series("tea").add(2) }
        #expect(delta == 2)
        let new = await capture.delta(of: #"sold_total{what="cups"}"#) { family.series("cups").increment() }
        #expect(new == 1)
        #expect(await capture.delta(of: #"sold_total{what="none"}"#) {} == 0)
    }
}
