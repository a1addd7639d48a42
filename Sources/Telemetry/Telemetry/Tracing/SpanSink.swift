/// Where ended spans go: the batch processor of the SDK, or memory in a test.
package protocol SpanSink: AnyObject, Sendable {
    /// Takes a span that will not change any more. Never blocks: a full sink drops the span and counts it.
    func spanEnded(_ span: Span)
}

/// What a span may hold (OpenTelemetry specification, SDK limits); the rest is counted and left out.
package enum SpanLimits {
    package static let attributes = 128
    package static let events = 128
    package static let links = 128
    /// Attributes of one event or link.
    package static let nestedAttributes = 128
    /// UTF-8 bytes of a name, a status description or a text value; what is longer is cut.
    package static let textBytes = 16 * 1024

    /// `text` cut at a character boundary.
    static func limited(_ text: String) -> String {
        guard text.utf8.count > textBytes else { return text }
        return String(decoding: text.utf8.prefix(textBytes), as: UTF8.self)
    }

    static func limited(_ value: AttributeValue) -> AttributeValue {
        switch value {
        case .string(let text) where text.utf8.count > textBytes: .string(limited(text))
        case .strings(let texts): .strings(texts.prefix(attributes).map(limited))
        default: value
        }
    }
}

/// Who emits: the attributes of an OpenTelemetry resource.
package struct ServiceResource: Sendable {
    /// `service.name`.
    package let name: String
    /// The other attributes.
    package let attributes: [Attribute]

    package init(name: String, attributes: [Attribute] = []) {
        self.name = name
        self.attributes = attributes
    }
}
