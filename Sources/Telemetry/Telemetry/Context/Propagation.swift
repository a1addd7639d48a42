/// W3C trace context, baggage and the request id, in and out of the headers of HTTP, AMQP and stored rows.
package enum Propagation {
    package static let traceParent = "traceparent"
    package static let traceState = "tracestate"
    package static let baggage = "baggage"
    package static let requestID = "x-request-id"

    /// Reads the context that a peer sent. Whatever is malformed is ignored by the rules of W3C Trace Context
    /// level 2 and Baggage; a missing or malformed request id is replaced by a generated one.
    /// - Parameter header: the value of a header by its lower-case name, several joined by commas; or nil.
    package static func extract(_ header: (String) -> String?) -> TelemetryContext {
        fatalError("skeleton")
    }

    /// Writes the context for the next hop.
    package static func inject(_ context: TelemetryContext, into set: (_ name: String, _ value: String) -> Void) {
        fatalError("skeleton")
    }

    /// A new request id (a random UUID in lower case).
    package static func makeRequestID() -> String { fatalError("skeleton") }
}
