/// What a collector says of a request that it took (OTLP 1.11, `ExportTraceServiceResponse`).
package struct OTLPTraceResponse: Equatable, Sendable {
    /// Spans that were refused for good.
    package var rejectedSpans = 0
    /// Why, or a warning when nothing was refused; at most 1,024 bytes.
    package var errorMessage = ""

    private static let maxMessageBytes = 1_024

    /// Reads the protobuf message.
    /// - Returns: nil when it is not one.
    package init?(_ bytes: [UInt8]) {
        self.init()
        var reader = ProtobufReader(bytes[...])
        while let field = reader.next() {
            guard field.number == 1, case .bytes(let message) = field.value else { continue }
            var nested = ProtobufReader(message)
            while let field = nested.next() {
                switch (field.number, field.value) {
                case (1, .varint(let count)): rejectedSpans = Int(clamping: Int64(bitPattern: count))
                case (2, .bytes(let text)):
                    errorMessage = String(decoding: text.prefix(Self.maxMessageBytes), as: UTF8.self)
                default: break
                }
            }
            if nested.isMalformed { return nil }
        }
        if reader.isMalformed { return nil }
        rejectedSpans = max(0, rejectedSpans)
    }

    private init() {}
}

/// Reads the fields of one Protocol Buffers message; stops at the first byte that makes no sense.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>
    private(set) var isMalformed = false

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> (number: Int, value: Value)? {
        guard !rest.isEmpty, !isMalformed else { return nil }
        guard let tag = varint(), tag >> 3 > 0, tag >> 3 < 1 << 29, let value = value(ofType: tag & 7) else {
            isMalformed = true
            return nil
        }
        return (Int(tag >> 3), value)
    }

    private mutating func value(ofType type: UInt64) -> Value? {
        switch type {
        case 0: return varint().map(Value.varint)
        case 1: return fixed(8).map(Value.fixed64)
        case 2:
            guard let length = varint(), length <= UInt64(rest.count) else { return nil }
            let bytes = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            return .bytes(bytes)
        case 5: return fixed(4).map { .fixed32(UInt32(truncatingIfNeeded: $0)) }
        default: return nil
        }
    }

    private mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, let byte = rest.popFirst() {
            result |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return result }
            shift += 7
        }
        return nil
    }

    private mutating func fixed(_ count: Int) -> UInt64? {
        guard rest.count >= count else { return nil }
        let value = rest.prefix(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(count)
        return value
    }
}
