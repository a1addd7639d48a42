/// The `traceparent` header (W3C Trace Context level 2, section 3.2): `00-<trace>-<span>-<flags>`.
enum TraceParent {
    /// Bytes of a header of version 00.
    static let length = 55
    private static let dash = UInt8(ascii: "-")

    /// The context that the header names, or nil when it breaks a rule and a new trace has to begin.
    static func parse(_ header: String) -> SpanContext? {
        header.utf8.withContiguousStorageIfAvailable { bytes in parse(trimmed(bytes)) }
            ?? Array(header.utf8).withUnsafeBufferPointer { parse(trimmed($0)) }
    }

    private static func trimmed(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>.SubSequence {
        var slice = bytes[...]
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return slice
    }

    private static func parse(_ slice: UnsafeBufferPointer<UInt8>.SubSequence) -> SpanContext? {
        let bytes = UnsafeBufferPointer(rebasing: slice)
        guard bytes.count >= length, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = HexText.value(bytes[0..<2]), version != 0xFF,
            let high = HexText.value(bytes[3..<19]), let low = HexText.value(bytes[19..<35]), high | low != 0,
            let span = HexText.value(bytes[36..<52]), span != 0,
            let flags = HexText.value(bytes[53..<55])
        else { return nil }
        // A later version may append fields; version 00 may not.
        if bytes.count > length {
            guard version != 0, bytes[length] == dash else { return nil }
        }
        return SpanContext(
            traceID: TraceID(high: high, low: low), spanID: SpanID(span), isSampled: flags & 1 != 0,
            isRandom: flags & 2 != 0, isRemote: true)
    }

    /// Writes the header for the next hop, `length` bytes; always version 00, unknown flags zero.
    static func write(_ context: SpanContext, to buffer: UnsafeMutableBufferPointer<UInt8>) {
        buffer[0] = 0x30
        buffer[1] = 0x30
        buffer[2] = dash
        HexText.write(context.traceID.high, to: buffer, at: 3)
        HexText.write(context.traceID.low, to: buffer, at: 19)
        buffer[35] = dash
        HexText.write(context.spanID.value, to: buffer, at: 36)
        buffer[52] = dash
        buffer[53] = 0x30
        buffer[54] = 0x30 + (context.isSampled ? 1 : 0) + (context.isRandom ? 2 : 0)
    }
}
