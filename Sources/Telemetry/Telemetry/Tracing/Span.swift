/// The role of a span in its trace (OTLP numbering).
package enum SpanKind: Int, Sendable {
    case `internal` = 1
    case server, client, producer, consumer
}

/// The outcome of a span. Unset counts as success.
package enum SpanStatus: Hashable, Sendable {
    case unset
    case ok
    case error(String)
}

/// A link to another span: how a consumer names the producer whose message it handles.
package struct SpanLink: Sendable {
    package let context: SpanContext
    package let attributes: [Attribute]
    package init(_ context: SpanContext, attributes: [Attribute] = []) {
        self.context = context
        self.attributes = attributes
    }
}

/// An operation being timed. Owned by one task at a time; an unsampled span keeps its context and records nothing.
package final class Span: @unchecked Sendable {
    package let context: SpanContext
    package let isRecording: Bool

    init() { fatalError("skeleton") }

    package func set(_ key: AttributeKey, _ value: AttributeValue) { fatalError("skeleton") }
    package func set(_ key: AttributeKey, _ value: String) { set(key, .string(value)) }
    package func set(_ key: AttributeKey, _ value: Int) { set(key, .int(value)) }
    package func updateName(_ name: String) { fatalError("skeleton") }
    package func setStatus(_ status: SpanStatus) { fatalError("skeleton") }
    package func addEvent(_ name: String, _ attributes: [Attribute] = []) { fatalError("skeleton") }
    package func addLink(_ link: SpanLink) { fatalError("skeleton") }
    /// Sets `error.type` and an error status. The description is for operators: it must hold no personal data.
    package func recordError(type: String, description: String = "") { fatalError("skeleton") }
    /// Ends the span once; later calls do nothing.
    package func end() { fatalError("skeleton") }
}
