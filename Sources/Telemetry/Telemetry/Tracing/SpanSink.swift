/// Where ended spans go: the batch processor of the SDK, or memory in a test.
package protocol SpanSink: AnyObject, Sendable {
    /// Takes a span that will not change any more. Never blocks: a full sink drops the span and counts it.
    func spanEnded(_ span: Span)
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
