/// The 16-byte identifier of a trace (W3C Trace Context, section 3.2.2.3).
package struct TraceID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The all-zero identifier is invalid.
    package var isValid: Bool { high | low != 0 }
}

/// The 8-byte identifier of a span (W3C Trace Context, section 3.2.2.4).
package struct SpanID: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// The all-zero identifier is invalid.
    package var isValid: Bool { value != 0 }
}

/// What crosses a process boundary about a span: its identity, whether it is sampled, and the vendors' state.
package struct SpanContext: Hashable, Sendable {
    package var traceID: TraceID
    package var spanID: SpanID
    package var isSampled: Bool
    /// The `tracestate` header, already validated; empty when there is none.
    package var traceState: String

    package init(traceID: TraceID, spanID: SpanID, isSampled: Bool, traceState: String = "") {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.traceState = traceState
    }
}
