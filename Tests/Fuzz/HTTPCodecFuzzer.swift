/// libFuzzer target of the HTTP codec: `make fuzz`. Built by `Tests/Fuzz/run` together with the codec's own sources, with
/// the address sanitizer, outside the package: fuzzing needs a `main` and flags that no other target has.
///
/// The first byte chooses what the rest is: a stream of requests, a response, or a chunked body; and where it is split.
/// A reading that depends on the split is a finding like a crash.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let choice = input.first else { return 0 }
    let bytes = Array(input.dropFirst())
    let split = bytes.isEmpty ? 0 : Int(choice >> 2) * bytes.count / 63
    let pieces = [bytes[..<split], bytes[split...]]
    switch choice & 3 {
    case 0, 1:
        let isWhole = readRequests([bytes[...]])
        let isSplit = readRequests(pieces)
        precondition(isWhole == isSplit, "the reading of requests depends on the pieces")
    case 2:
        precondition(readBody([bytes[...]]) == readBody(pieces), "the reading of a body depends on the pieces")
    default:
        var scanned = 0
        _ = try? bytes.withUnsafeBytes {
            try HTTPHeadParser.response($0, scanned: &scanned, limits: HTTPLimits(), requestMethod: .get)
        }
    }
    return 0
}

/// Every byte that was understood, marked by where it was found, and the refusal at the end.
private func readRequests(_ pieces: [ArraySlice<UInt8>]) -> [String] {
    var seen: [String] = []
    var buffer: [UInt8] = []
    var scanned = 0
    var body: (decoder: HTTPBodyDecoder, bytes: [UInt8])?
    let limits = HTTPLimits()
    for piece in pieces {
        buffer += piece
        do {
            while true {
                var offset = 0
                if var current = body {
                    let step = try buffer.withUnsafeBytes { try current.decoder.next($0, offset: &offset) }
                    switch step {
                    case .data(let range): current.bytes += buffer[range]
                    case .end: seen.append(String(decoding: current.bytes, as: UTF8.self))
                    case .needMore: break
                    }
                    body = step == .end ? nil : current
                    buffer.removeFirst(offset)
                    if step == .needMore { break }
                    continue
                }
                guard
                    let head = try buffer.withUnsafeBytes({
                        try HTTPHeadParser.request($0, scanned: &scanned, limits: limits)
                    })
                else { break }
                check(head, limits)
                seen.append(head.method.name + " " + head.target)
                head.fields.forEach { seen.append($0 + ":" + $1) }
                body = (HTTPBodyDecoder(framing: head.framing, limits: limits), [])
                buffer.removeFirst(head.byteCount)
            }
        } catch let error as HTTPParseError {
            return seen + (body.map { [String(decoding: $0.bytes, as: UTF8.self)] } ?? []) + [error.code]
        } catch {
            return seen
        }
    }
    return seen + (body.map { [String(decoding: $0.bytes, as: UTF8.self)] } ?? []) + ["\(buffer.count)"]
}

/// What holds for every request that was accepted.
private func check(_ head: HTTPRequestHead, _ limits: HTTPLimits) {
    precondition(head.byteCount <= limits.maxHeadBytes && head.target.utf8.count <= limits.maxTargetBytes)
    precondition(head.fields.count <= limits.maxFieldCount && head.fields.values("host").count <= 1)
    precondition(head.target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
    // What was read can be written, and reads back as the same.
    var output: [UInt8] = []
    guard let host = head.fields["host"] else { return }
    let isWritten = HTTPSerializer.requestHead(
        method: head.method, target: head.target, host: host, fields: head.fields, framing: head.framing, into: &output)
    precondition(isWritten)
    var scanned = 0
    // Written out, a head may be a little longer than it was.
    var wide = limits
    wide.maxHeadBytes *= 2
    wide.maxFieldCount += 2
    let again = try? output.withUnsafeBytes {
        try HTTPHeadParser.request($0, scanned: &scanned, limits: wide)
    }
    precondition(again?.target == head.target && again?.framing == head.framing && again?.method == head.method)
}

private func readBody(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
    var decoder = HTTPBodyDecoder(framing: .chunked, limits: HTTPLimits())
    var body: [UInt8] = []
    for piece in pieces {
        let bytes = Array(piece)
        var offset = 0
        reading: while true {
            guard let step = try? bytes.withUnsafeBytes({ try decoder.next($0, offset: &offset) }) else {
                return body + [0xFF]
            }
            switch step {
            case .data(let range): body += bytes[range]
            case .needMore, .end: break reading
            }
        }
    }
    return body + [decoder.isComplete ? 1 : 0]
}
