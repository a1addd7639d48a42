/// libFuzzer target of what collectors answer: `Export*ServiceResponse` as protobuf and as JSON. Built by `Tests/Fuzz/run`
/// together with the sources that read them.
///
/// Whatever comes: an answer or none, in bounded time and within the limits.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    for response in [OTLPResponse(bytes), OTLPResponse(json: bytes)] {
        guard let response else { continue }
        precondition(response.rejectedItems >= 0)
        // A cut character is replaced by one of three bytes.
        precondition(response.errorMessage.utf8.count <= 1_024 + 3 * 1_024)
    }
    if let value = JSONValue(bytes) { precondition(depth(value) <= JSONValue.maxDepth + 1) }
    return 0
}

private func depth(_ value: JSONValue) -> Int {
    switch value {
    case .array(let elements): 1 + (elements.map(depth).max() ?? 0)
    case .object(let members): 1 + (members.map { depth($0.value) }.max() ?? 0)
    default: 1
    }
}
