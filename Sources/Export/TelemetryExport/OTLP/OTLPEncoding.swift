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

    /// Both halves of a message, in its form; nil when it cannot be cut.
    func halves(_ signal: OTLPSignal) -> [OTLPMessage]? {
        let plain: [UInt8]? = format.isCompressed ? Gzip.decompress(body, limit: Self.maxPlainBytes) : body
        guard itemCount > 1, let plain else { return nil }
        let splitter = OTLPSplitter(signal.request)
        let count = itemCount / 2
        let parts =
            format.isJSON ? splitter.split(json: plain, after: count) : splitter.split(protobuf: plain, after: count)
        guard let (first, second) = parts else { return nil }
        return [(first, count), (second, itemCount - count)].map { part, count in
            let compressed = format.isCompressed ? part.withUnsafeBytes { FastGzip().compress($0) } : nil
            return OTLPMessage(
                body: compressed ?? part, itemCount: count,
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

/// The senders of one signal, one for each collector.
struct OTLPSenders: Sendable {
    private let senders: [OTLPSender]
    /// The forms in which the collectors want their requests.
    let formats: Set<OTLPFormat>

    init(_ senders: [OTLPSender]) {
        self.senders = senders
        formats = Set(senders.map(\.target.format))
    }

    /// Gives each collector the message in its form.
    func offer(_ messages: [OTLPMessage]) {
        for sender in senders {
            let wanted = sender.target.format
            if let message = messages.first(where: { $0.format == wanted })
                ?? messages.first(where: { $0.format.isJSON == wanted.isJSON })
            {
                sender.offer(message)
            }
        }
    }

    func start() { for sender in senders { sender.start() } }

    /// All at once, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for sender in senders {
                group.addTask { await sender.shutdown(timeoutMilliseconds: timeoutMilliseconds) }
            }
        }
    }

    /// Counts items that were lost before any message was made of them.
    func lost(_ count: Int, _ errorType: String) { for sender in senders { sender.lost(count, errorType) } }
}
