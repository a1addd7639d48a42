/// libFuzzer target of the headers that carry a context: `traceparent`, `tracestate`, `baggage`, `x-request-id`, one a line
/// of the input. Built by `Tests/Fuzz/run` together with the sources of the telemetry API.
///
/// Whatever comes, a context comes out of it; what is sent on is within the limits, cannot break a header, and is read
/// back as what it was.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    let lines = input.split(separator: 0x0A, maxSplits: 3, omittingEmptySubsequences: false)
    var headers: [String: String] = [:]
    for (name, line) in zip(["traceparent", "tracestate", "baggage", "x-request-id"], lines) {
        headers[name] = String(decoding: line, as: UTF8.self)
    }
    let context = Propagation.extract { headers[$0] }
    if let span = context.span {
        precondition(span.traceID.isValid && span.spanID.isValid && span.isRemote)
        precondition(span.traceState.utf8.count <= 512 && TraceState.parse(span.traceState) == span.traceState)
    }
    precondition(RequestID.isWellFormed(context.requestID ?? ""))
    precondition(context.baggage.entries.count <= 64)

    let sent = inject(context)
    for value in sent.values {
        precondition(value.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }, "this breaks a header")
        precondition(value.utf8.count <= 8_192)
    }
    let read = Propagation.extract { sent[$0] }
    precondition(read.span == context.span && read.span?.isRandom == context.span?.isRandom)
    precondition(read.requestID == context.requestID)
    precondition(inject(read) == sent, "the second hop differs from the first")
    return 0
}

private func inject(_ context: TelemetryContext) -> [String: String] {
    var sent: [String: String] = [:]
    Propagation.inject(context) { sent[$0] = $1 }
    return sent
}
