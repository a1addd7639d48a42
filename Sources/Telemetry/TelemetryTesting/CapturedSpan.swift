package import Telemetry

/// A finished span as a test sees it.
package struct CapturedSpan: Sendable {
    package let name: String
    package let kind: SpanKind
    package let context: SpanContext
    package let parent: SpanID?
    package let links: [SpanContext]
    package let attributes: [String: AttributeValue]
    package let status: SpanStatus
    package let events: [SpanEvent]
    package let durationNanoseconds: UInt64

    init(_ span: Span) {
        name = span.name
        kind = span.kind
        context = span.context
        parent = span.parent?.spanID
        links = span.links.map(\.context)
        attributes = Dictionary(uniqueKeysWithValues: span.attributes.map { ($0.key.name, $0.value) })
        status = span.status
        events = span.events
        durationNanoseconds = span.durationNanoseconds
    }
}
