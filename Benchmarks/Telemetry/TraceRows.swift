import Telemetry
import TelemetrySDK

extension Row {
    private static let method = AttributeKey("http.request.method")
    private static let route = AttributeKey("http.route")
    private static let path = AttributeKey("url.path")
    private static let status = AttributeKey("http.response.status_code")

    static let traces: [Row] = [
        // Started, ended, queued and encoded for the collector, in batches of 512.
        Row("span") {
            let traced = Traced()
            return { times in
                let encoder = OTLPBatchEncoder(traced.processor.queue)
                for index in 0..<times {
                    traced.span()
                    if index % Traced.batch == Traced.batch - 1 { traced.encode(encoder) }
                }
                traced.encode(encoder)
            }
        },
        // Encoding and compressing a batch that waits; the unit is one of its spans.
        Row("otlp") {
            let traced = Traced()
            for _ in 0..<Traced.batch { traced.span() }
            let batch = traced.processor.drain()
            return { times in
                let encoder = OTLPBatchEncoder(traced.processor.queue)
                let gzip = FastGzip()
                for _ in 0..<max(1, times / Traced.batch) {
                    let size = encoder.withRequest(batch) { gzip.compress($0)?.count ?? 0 }
                    precondition(size > Traced.batch)
                }
            }
        },
    ]

    private final class Traced: Sendable {
        static let batch = 512

        let processor = BatchSpanProcessor(metrics: MetricRegistry()) {}
        private let telemetry: Telemetry
        private let context = TelemetryContext()

        init() {
            telemetry = Telemetry(
                resource: .standard(serviceName: "bench"), sampler: .parentBased(root: .alwaysOn), spanSink: processor,
                logSink: nil)
        }

        func span() {
            let span = telemetry.tracer.startSpan("GET /orders/{id}", kind: .server, parent: context)
            span.set(Row.method, "GET")
            span.set(Row.route, "/orders/{id}")
            span.set(Row.path, "/orders/12345")
            span.set(Row.status, 200)
            span.end()
        }

        func encode(_ encoder: OTLPBatchEncoder) {
            let batch = processor.drain()
            encoder.withRequest(batch) { precondition($0.count >= batch.count) }
            processor.recycle(batch)
        }
    }
}
