internal import Telemetry
internal import TelemetrySDK

/// Encodes and compresses batches.
///
/// Safety (`@unchecked Sendable`): used by one job at a time of the exporter's single worker thread.
final class SpanEncoding: @unchecked Sendable {
    /// The body of one request, as it is sent.
    struct Request: Sendable {
        let body: [UInt8]
        let spanCount: Int
        let isCompressed: Bool
    }

    private let encoder = OTLPTraceEncoder()
    private let gzip: Gzip?

    init(isCompressed: Bool) { gzip = isCompressed ? Gzip() : nil }

    func encode(_ spans: [Span]) -> (requests: [Request], oversized: Int) {
        let (requests, oversized) = encoder.encode(spans)
        let bodies = requests.map { request in
            if let compressed = request.body.withUnsafeBytes({ gzip?.compress($0) }) {
                return Request(body: compressed, spanCount: request.spanCount, isCompressed: true)
            }
            return Request(body: request.body, spanCount: request.spanCount, isCompressed: false)
        }
        return (bodies, oversized)
    }
}
