internal import Telemetry

/// What a collector says of a request that it took: `ExportTraceServiceResponse` and its sisters for metrics and logs,
/// which differ in the names of their fields only (OTLP 1.11).
package struct OTLPResponse: Equatable, Sendable {
    /// Spans, data points or log records that were refused for good.
    package private(set) var rejectedItems = 0
    /// Why, or a warning when nothing was refused; at most 1,024 bytes.
    package private(set) var errorMessage = ""

    private static let maxMessageBytes = 1_024

    /// Reads the protobuf message.
    /// - Returns: nil when it is not one.
    package init?(_ bytes: [UInt8]) {
        var reader = ProtobufReader(bytes[...])
        while let field = reader.next() {
            guard field.number == 1, case .bytes(let message) = field.value else { continue }
            var nested = ProtobufReader(message)
            while let field = nested.next() {
                switch (field.number, field.value) {
                case (1, .varint(let count)): rejectedItems = Int(clamping: Int64(bitPattern: count))
                case (2, .bytes(let text)): setMessage(text)
                default: break
                }
            }
            if nested.isMalformed { return nil }
        }
        if reader.isMalformed { return nil }
        rejectedItems = max(0, rejectedItems)
    }

    /// Reads the JSON form. 64-bit numbers may be texts.
    /// - Returns: nil when it is not one.
    package init?(json bytes: [UInt8]) {
        guard case .object(let fields)? = JSONValue(bytes) else { return nil }
        guard case .object(let partial)? = fields.last(where: { $0.key == "partialSuccess" })?.value else { return }
        for (key, value) in partial {
            switch (key, value) {
            case ("rejectedSpans", _), ("rejectedDataPoints", _), ("rejectedLogRecords", _):
                rejectedItems = max(0, value.integer ?? 0)
            case ("errorMessage", .string(let text)): setMessage(Array(text.utf8)[...])
            default: break
            }
        }
    }

    private mutating func setMessage(_ text: ArraySlice<UInt8>) {
        errorMessage = String(decoding: text.prefix(Self.maxMessageBytes), as: UTF8.self)
    }
}
