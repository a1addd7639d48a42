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

/// Something that happened at one moment of a span.
package struct SpanEvent: Sendable {
    package let name: String
    /// Since 1970 UTC.
    package let wallNanoseconds: UInt64
    package let attributes: [Attribute]
}

/// An operation being timed. Owned by one task at a time; an unsampled span keeps its context and records nothing.
///
/// Safety (`@unchecked Sendable`): changed only by its owner until `end()`, and by nobody after it.
package final class Span: @unchecked Sendable {
    package let context: SpanContext
    /// Whether anybody will see what is set; when not, setting does nothing.
    package let isRecording: Bool
    package let kind: SpanKind
    /// The parent's context, or nil at the root of a trace.
    package let parent: SpanContext?
    /// Whose span it is.
    package let resource: ServiceResourceReference
    package private(set) var name: String
    package private(set) var status: SpanStatus = .unset
    package private(set) var attributes: [Attribute] = []
    package private(set) var events: [SpanEvent] = []
    package private(set) var links: [SpanLink]
    package private(set) var droppedAttributes = 0
    package private(set) var droppedEvents = 0
    package private(set) var droppedLinks = 0
    /// Since 1970 UTC.
    package let startWallNanoseconds: UInt64
    /// Since 1970 UTC; the start plus the monotonic duration. Zero until the end.
    package private(set) var endWallNanoseconds: UInt64 = 0
    /// Whether `end()` was called.
    package private(set) var isEnded = false

    private let startMonotonicNanoseconds: UInt64
    private let tracer: Tracer

    /// Room for the attributes of a usual span, so that setting them allocates once.
    private static let usualAttributes = 8

    init(
        name: String, kind: SpanKind, context: SpanContext, parent: SpanContext?, links: [SpanLink],
        isRecording: Bool, tracer: Tracer
    ) {
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.isRecording = isRecording
        self.tracer = tracer
        resource = tracer.resource
        if isRecording {
            startWallNanoseconds = tracer.clock.wallNanoseconds()
            startMonotonicNanoseconds = tracer.clock.monotonicNanoseconds()
            self.links = links
            if links.count > SpanLimits.links {
                droppedLinks = links.count - SpanLimits.links
                self.links.removeLast(droppedLinks)
            }
        } else {
            startWallNanoseconds = 0
            startMonotonicNanoseconds = 0
            self.links = []
        }
    }

    /// Nanoseconds between start and end; zero before the end.
    package var durationNanoseconds: UInt64 { isEnded ? endWallNanoseconds &- startWallNanoseconds : 0 }

    /// Sets an attribute; a key that is there already gets the new value.
    package func set(_ key: AttributeKey, _ value: AttributeValue) {
        guard isRecording, !isEnded else { return }
        let attribute = Attribute(key, SpanLimits.limited(value))
        for index in attributes.indices where attributes[index].key == key {
            attributes[index] = attribute
            return
        }
        if attributes.isEmpty { attributes.reserveCapacity(Self.usualAttributes) }
        if attributes.count < SpanLimits.attributes { attributes.append(attribute) } else { droppedAttributes += 1 }
    }

    package func set(_ key: AttributeKey, _ value: String) { set(key, .string(value)) }
    package func set(_ key: AttributeKey, _ value: Int) { set(key, .int(value)) }

    /// Gives the span another name, as soon as a better one is known (the route of a request).
    package func updateName(_ name: String) {
        guard isRecording, !isEnded else { return }
        self.name = SpanLimits.limited(name)
    }

    /// Sets the outcome. `ok` is final; `unset` changes nothing (OpenTelemetry specification, Set Status).
    package func setStatus(_ status: SpanStatus) {
        guard isRecording, !isEnded, self.status != .ok else { return }
        switch status {
        case .unset: return
        case .ok: self.status = .ok
        case .error(let description): self.status = .error(SpanLimits.limited(description))
        }
    }

    /// Adds something that happened now.
    package func addEvent(_ name: String, _ attributes: [Attribute] = []) {
        guard isRecording, !isEnded else { return }
        guard events.count < SpanLimits.events else {
            droppedEvents += 1
            return
        }
        events.append(
            SpanEvent(
                name: name, wallNanoseconds: tracer.clock.wallNanoseconds(),
                attributes: Array(attributes.prefix(SpanLimits.nestedAttributes))))
    }

    /// Links the span to another one.
    package func addLink(_ link: SpanLink) {
        guard isRecording, !isEnded else { return }
        if links.count < SpanLimits.links { links.append(link) } else { droppedLinks += 1 }
    }

    /// Sets `error.type` and an error status. The description is for operators: it must hold no personal data.
    package func recordError(type: String, description: String = "") {
        set(.errorType, type)
        setStatus(.error(description))
    }

    /// Ends the span once; later calls do nothing.
    package func end() {
        guard !isEnded else { return }
        isEnded = true
        guard isRecording else { return }
        let monotonic = tracer.clock.monotonicNanoseconds()
        // The wall clock may step while the span runs; its duration must not.
        endWallNanoseconds = startWallNanoseconds &+ (monotonic &- startMonotonicNanoseconds)
        tracer.ended(self)
    }
}
