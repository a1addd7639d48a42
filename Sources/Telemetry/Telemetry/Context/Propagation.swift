/// W3C trace context, baggage and the request id, in and out of the headers of HTTP, AMQP and stored rows.
///
/// The request id crosses hops twice: as `X-Request-ID`, and as the baggage member `request.id` for carriers and
/// peers that know only the standards. Nothing that a peer sends can break a request: what is malformed is ignored.
package enum Propagation {
    package static let traceParent = "traceparent"
    package static let traceState = "tracestate"
    package static let baggage = "baggage"
    package static let requestID = "x-request-id"
    /// The baggage member that carries the request id.
    package static let requestIDMember = "request.id"

    /// Reads the context that a peer sent. Whatever is malformed is ignored by the rules of W3C Trace Context
    /// level 2 and Baggage; a missing or malformed request id is replaced by a generated one.
    /// - Parameter header: the value of a header by its lower-case name, several joined by commas; or nil.
    package static func extract(_ header: (String) -> String?) -> TelemetryContext {
        var span: SpanContext?
        if let text = header(traceParent) {
            span = TraceParent.parse(text)
            if span != nil, let state = header(traceState) { span?.traceState = TraceState.parse(state) }
        }
        var carried = Baggage()
        var memberID: String?
        if let text = header(baggage) { (carried, memberID) = BaggageCodec.parse(text) }
        let id: String
        if let sent = header(requestID), RequestID.isWellFormed(sent) {
            id = sent
        } else if let memberID, RequestID.isWellFormed(memberID) {
            id = memberID
        } else {
            id = RequestID.make()
        }
        return TelemetryContext(span: span, requestID: id, baggage: carried)
    }

    /// Writes the context for the next hop.
    package static func inject(_ context: TelemetryContext, into set: (_ name: String, _ value: String) -> Void) {
        inject(context, span: context.span) { name, value in set(name, String(decoding: value, as: UTF8.self)) }
    }

    /// Writes the context for the next hop without making text of it.
    /// - Parameters:
    ///   - span: the one that the next hop becomes a child of.
    ///   - set: gets bytes that are valid during the call only, and must not log meanwhile.
    package static func inject(
        _ context: TelemetryContext, span: SpanContext?,
        into set: (_ name: String, _ value: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        if let span, span.isValid {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TraceParent.length) { buffer in
                TraceParent.write(span, to: buffer)
                set(traceParent, UnsafeBufferPointer(buffer))
            }
            if !span.traceState.isEmpty { span.traceState.utf8.span.withUnsafeBufferPointer { set(traceState, $0) } }
        }
        if let id = context.requestID { id.utf8.span.withUnsafeBufferPointer { set(requestID, $0) } }
        let state = ThreadState.current
        state.pointee.scratch.removeAll()
        if writeBaggage(of: context, to: &state.pointee.scratch) {
            set(baggage, UnsafeBufferPointer(start: state.pointee.scratch.base, count: state.pointee.scratch.count))
        }
    }

    /// Writes the `baggage` header of a context.
    /// - Returns: false when there is nothing to carry.
    private static func writeBaggage(of context: TelemetryContext, to header: inout ByteBuffer) -> Bool {
        var count = 0
        if let id = context.requestID, BaggageCodec.append(key: requestIDMember, value: id, to: &header) { count += 1 }
        for entry in context.baggage.entries where count < BaggageCodec.maxMembers && entry.key != requestIDMember {
            if BaggageCodec.append(key: entry.key, value: entry.value, properties: entry.properties, to: &header) {
                count += 1
            }
        }
        return count > 0
    }

    /// A new request id (a random UUID in lower case).
    package static func makeRequestID() -> String { RequestID.make() }
}
