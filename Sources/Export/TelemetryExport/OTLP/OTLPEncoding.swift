internal import Telemetry
internal import TelemetrySDK

/// Brings protobuf requests into the form in which a collector wants them, each form once whoever asks for it.
///
/// Safety (`@unchecked Sendable`): used by one job at a time of the pipeline's single worker thread.
final class OTLPEncoding: @unchecked Sendable {
    private let signal: OTLPSignal
    private let gzip = FastGzip()
    private var json = ByteBuffer(capacity: 1_024)

    /// What the buffer keeps between requests.
    private static let keptBytes = 256 * 1024

    init(_ signal: OTLPSignal) { self.signal = signal }

    /// The messages of one request, one for each form.
    func messages(_ protobuf: UnsafeRawBufferPointer, itemCount: Int, _ formats: Set<OTLPFormat>) -> [OTLPMessage] {
        formats.map { format in
            guard format.isJSON else { return message(protobuf, itemCount, format) }
            json.removeAll()
            json.shrink(to: Self.keptBytes)
            OTLPJSON.append(signal.request, Array(protobuf), to: &json)
            return json.withBytes { message($0, itemCount, format) }
        }
    }

    private func message(_ bytes: UnsafeRawBufferPointer, _ itemCount: Int, _ format: OTLPFormat) -> OTLPMessage {
        // What is too large for the compressor is sent as it is.
        if format.isCompressed, let compressed = gzip.compress(bytes) {
            return OTLPMessage(body: compressed, itemCount: itemCount, format: format)
        }
        return OTLPMessage(
            body: Array(bytes), itemCount: itemCount, format: OTLPFormat(isJSON: format.isJSON, isCompressed: false))
    }
}

extension OTLPMessage {
    /// What a collector takes, before compression (OTLP 1.11); no message of ours is larger.
    private static let maxPlainBytes = 64 * 1024 * 1024

    /// Bytes before compression.
    var plainByteCount: Int {
        guard format.isCompressed, body.count >= 4 else { return body.count }
        // The end of a gzip file says it (RFC 1952, ISIZE).
        return body.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// A message in parts of at most so many bytes before compression where its items allow that, in its form; nil when it
    /// cannot be cut. A very large one comes in parts that are still to be cut.
    func parts(_ signal: OTLPSignal, limitBytes: Int) -> [OTLPMessage]? {
        let plain: [UInt8]? = format.isCompressed ? Gzip.decompress(body, limit: Self.maxPlainBytes) : body
        guard itemCount > 1, let plain else { return nil }
        let splitter = OTLPSplitter(signal.request)
        let parts =
            format.isJSON
            ? splitter.split(json: plain, limitBytes: limitBytes)
            : splitter.split(protobuf: plain, limitBytes: limitBytes)
        return parts?.map { part in
            let compressed = format.isCompressed ? part.bytes.withUnsafeBytes { FastGzip().compress($0) } : nil
            return OTLPMessage(
                body: compressed ?? part.bytes, itemCount: part.itemCount,
                format: OTLPFormat(isJSON: format.isJSON, isCompressed: compressed != nil))
        }
    }
}

extension OTLPSignal {
    fileprivate var request: OTLPJSON.Request {
        switch self {
        case .traces: .traces
        case .metrics: .metrics
        case .logs: .logs
        }
    }
}
