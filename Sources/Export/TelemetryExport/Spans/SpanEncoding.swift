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

    private let encoder: OTLPTraceEncoder
    private let gzip: Gzip?

    init(_ processor: BatchSpanProcessor, isCompressed: Bool) {
        encoder = OTLPTraceEncoder(processor)
        gzip = isCompressed ? Gzip() : nil
    }

    func encode(_ batch: SpanBatch) -> Request {
        encoder.withRequest(batch) { body in
            if let compressed = gzip?.compress(body) {
                return Request(body: compressed, spanCount: batch.count, isCompressed: true)
            }
            return Request(body: Array(body), spanCount: batch.count, isCompressed: false)
        }
    }
}
