/// What a span may hold (OpenTelemetry specification, SDK limits); the rest is counted and left out.
package struct SpanLimits: Sendable {
    /// Attributes of a span (`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`).
    package var attributes = 128
    /// Events of a span (`OTEL_SPAN_EVENT_COUNT_LIMIT`).
    package var events = 128
    /// Links of a span (`OTEL_SPAN_LINK_COUNT_LIMIT`).
    package var links = 128
    /// Attributes of one event (`OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`).
    package var eventAttributes = 128
    /// Attributes of one link (`OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`).
    package var linkAttributes = 128
    /// UTF-8 bytes of a name, a status description or a text value; what is longer is cut at a character boundary
    /// (`OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`).
    package var textBytes = SpanLimits.maxTextBytes

    /// No setting allows more: a queue of spans is bounded by bytes, and one span must fit into it.
    package static let maxTextBytes = 16 * 1024
    /// No setting allows more of anything that is counted.
    package static let maxCount = 1_024

    package init() {}

    /// `text` cut at a character boundary.
    @inline(__always)
    func limited(_ text: String) -> String { text.utf8.count <= textBytes ? text : cut(text) }

    @inline(never)
    private func cut(_ text: String) -> String {
        var text = text
        return text.withUTF8 { bytes in
            var length = min(textBytes, bytes.count)
            while length > 0, length < bytes.count, bytes[length] & 0xC0 == 0x80 { length -= 1 }
            return String(decoding: bytes[..<length], as: UTF8.self)
        }
    }

    func limited(_ value: AttributeValue) -> AttributeValue {
        switch value {
        case .string(let text): .string(limited(text))
        case .strings(let texts): .strings(texts.prefix(attributes).map(limited))
        default: value
        }
    }
}
