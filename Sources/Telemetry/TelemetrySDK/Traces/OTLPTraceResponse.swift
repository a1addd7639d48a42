internal import Telemetry

/// What a collector says of a request that it took (OTLP 1.11, `ExportTraceServiceResponse`).
package struct OTLPTraceResponse: Equatable, Sendable {
    /// Spans that were refused for good.
    package var rejectedSpans = 0
    /// Why, or a warning when nothing was refused; at most 1,024 bytes.
    package var errorMessage = ""

    private static let maxMessageBytes = 1_024

    /// Reads the protobuf message.
    /// - Returns: nil when it is not one.
    package init?(_ bytes: [UInt8]) {
        self.init()
        var reader = ProtobufReader(bytes[...])
        while let field = reader.next() {
            guard field.number == 1, case .bytes(let message) = field.value else { continue }
            var nested = ProtobufReader(message)
            while let field = nested.next() {
                switch (field.number, field.value) {
                case (1, .varint(let count)): rejectedSpans = Int(clamping: Int64(bitPattern: count))
                case (2, .bytes(let text)):
                    errorMessage = String(decoding: text.prefix(Self.maxMessageBytes), as: UTF8.self)
                default: break
                }
            }
            if nested.isMalformed { return nil }
        }
        if reader.isMalformed { return nil }
        rejectedSpans = max(0, rejectedSpans)
    }

    private init() {}
}
