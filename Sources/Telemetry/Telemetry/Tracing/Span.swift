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

/// An operation being timed. Owned by one task at a time; an unsampled span keeps its context and records nothing.
///
/// Safety (`@unchecked Sendable`): changed only by its owner until `end()`, and by nobody after it.
package final class Span: @unchecked Sendable {
    package let context: SpanContext
    package let kind: SpanKind
    /// The parent's context, or nil at the root of a trace.
    package let parent: SpanContext?
    /// Since 1970 UTC; zero for a span that records nothing.
    package let startWallNanoseconds: UInt64
    let tracer: Tracer
    /// What the span was told; nil when nobody will see it. Lives as long as the span.
    let record: UnsafeMutablePointer<SpanRecord>?
    private let startMonotonicNanoseconds: UInt64

    init(
        name: String, kind: SpanKind, context: SpanContext, parent: SpanContext?, links: [SpanLink],
        record: UnsafeMutablePointer<SpanRecord>?, tracer: Tracer
    ) {
        self.kind = kind
        self.context = context
        self.parent = parent
        self.tracer = tracer
        self.record = record
        if let record {
            (startWallNanoseconds, startMonotonicNanoseconds) = tracer.clock.bothNanoseconds()
            record.pointee.name = tracer.limits.limited(name)
            for link in links { record.pointee.addLink(link, tracer.limits) }
        } else {
            startWallNanoseconds = 0
            startMonotonicNanoseconds = 0
        }
    }

    deinit {
        guard let record else { return }
        if !record.pointee.isEnded { tracer.forgotten() }
        ThreadState.current.pointee.spanRecords.give(record)
    }

    /// Whether anybody will see what is set; when not, setting does nothing.
    @inline(__always)
    package var isRecording: Bool { record != nil }
    /// Whose span it is.
    package var resource: ServiceResourceReference { tracer.resource }
    package var name: String { record?.pointee.name ?? "" }
    package var status: SpanStatus { record?.pointee.status ?? .unset }
    /// Since 1970 UTC; the start plus the monotonic duration. Zero until the end.
    package var endWallNanoseconds: UInt64 { record?.pointee.endWallNanoseconds ?? 0 }
    /// On the monotonic clock: for what compares spans, however the wall clock steps. Zero for a span that records
    /// nothing; the start until the end.
    package var endMonotonicNanoseconds: UInt64 { startMonotonicNanoseconds &+ durationNanoseconds }
    /// Whether `end()` was called on a span that records.
    package var isEnded: Bool { record?.pointee.isEnded ?? false }
    package var droppedAttributes: Int { record?.pointee.droppedAttributes ?? 0 }
    package var droppedEvents: Int { record?.pointee.droppedEvents ?? 0 }
    package var droppedLinks: Int { record?.pointee.droppedLinks ?? 0 }

    /// About the memory that the span holds.
    package var byteCount: Int { (record?.pointee.body.count ?? 0) + MemoryLayout<SpanRecord>.size + Self.headBytes }

    /// The object itself and its name, roughly.
    private static let headBytes = 256

    /// Nanoseconds between start and end; zero before the end.
    package var durationNanoseconds: UInt64 { isEnded ? endWallNanoseconds &- startWallNanoseconds : 0 }

    /// The record while it may be changed.
    @inline(__always)
    private var open: UnsafeMutablePointer<SpanRecord>? {
        guard let record, !record.pointee.isEnded else { return nil }
        return record
    }

    /// Sets an attribute; a key that is there already gets the new value.
    package func set(_ key: AttributeKey, _ value: AttributeValue) { open?.pointee.set(key, value, tracer.limits) }
    /// Sets an attribute; a key that is there already gets the new value.
    package func set(_ key: AttributeKey, _ value: String) { open?.pointee.set(key, text: value, tracer.limits) }
    /// Sets an attribute; a key that is there already gets the new value.
    package func set(_ key: AttributeKey, _ value: Int) { open?.pointee.set(key, integer: value, tracer.limits) }

    /// Sets attributes; keys that are there already get the new values.
    package func set(_ prepared: PreparedAttributes) { open?.pointee.set(prepared, tracer.limits) }

    /// Gives the span another name, as soon as a better one is known (the route of a request).
    package func updateName(_ name: String) { open?.pointee.name = tracer.limits.limited(name) }

    /// Sets the outcome. `ok` is final; `unset` changes nothing (OpenTelemetry specification, Set Status).
    package func setStatus(_ status: SpanStatus) {
        guard let record = open else { return }
        if case .ok = record.pointee.status { return }
        switch status {
        case .unset: return
        case .ok: record.pointee.status = .ok
        case .error(let description):
            record.pointee.status = .error(tracer.limits.limited(PatternRedaction.redacted(description)))
        }
    }

    /// Adds something that happened now.
    package func addEvent(_ name: String, _ attributes: [Attribute] = []) {
        guard let record = open else { return }
        record.pointee.addEvent(
            name, attributes, wallNanoseconds: tracer.clock.wallNanoseconds(), tracer.limits)
    }

    /// Links the span to another one.
    package func addLink(_ link: SpanLink) { open?.pointee.addLink(link, tracer.limits) }

    /// Sets `error.type` and an error status. The description is for operators: secrets that
    /// `PatternRedaction` knows are taken out of it, but it should hold no personal data at all.
    package func recordError(type: String, description: String = "") {
        set(.errorType, type)
        setStatus(.error(description))
    }

    /// Ends the span once; later calls do nothing.
    package func end() {
        guard let record = open else { return }
        let monotonic = tracer.clock.monotonicNanoseconds()
        // The wall clock may step while the span runs; its duration must not.
        record.pointee.endWallNanoseconds = startWallNanoseconds &+ (monotonic &- startMonotonicNanoseconds)
        record.pointee.isEnded = true
        tracer.ended(self)
    }
}
