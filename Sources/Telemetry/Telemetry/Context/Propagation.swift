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
        if let span = context.span, span.traceID.isValid, span.spanID.isValid {
            set(traceParent, TraceParent.format(span))
            if !span.traceState.isEmpty { set(traceState, span.traceState) }
        }
        if let id = context.requestID { set(requestID, id) }
        if let members = baggageHeader(context) { set(baggage, members) }
    }

    /// The `baggage` header of a context, or nil when there is nothing to carry.
    private static func baggageHeader(_ context: TelemetryContext) -> String? {
        let state = ThreadState.current
        state.pointee.scratch.removeAll()
        var count = 0
        if let id = context.requestID, BaggageCodec.append(key: requestIDMember, value: id, to: &state.pointee.scratch)
        {
            count += 1
        }
        for entry in context.baggage.entries where count < BaggageCodec.maxMembers && entry.key != requestIDMember {
            if BaggageCodec.append(
                key: entry.key, value: entry.value, properties: entry.properties, to: &state.pointee.scratch)
            {
                count += 1
            }
        }
        return count == 0 ? nil : state.pointee.scratch.string()
    }

    /// A new request id (a random UUID in lower case).
    package static func makeRequestID() -> String { RequestID.make() }
}
