/// A link to another span: how a consumer names the producer whose message it handles.
package struct SpanLink: Sendable {
    package let context: SpanContext
    package let attributes: [Attribute]
    package init(_ context: SpanContext, attributes: [Attribute] = []) {
        self.context = context
        self.attributes = attributes
    }
}

/// Something that happened at one moment of a span.
package struct SpanEvent: Sendable {
    package let name: String
    /// Since 1970 UTC.
    package let wallNanoseconds: UInt64
    package let attributes: [Attribute]
}
