/// Reads the fields of one Protocol Buffers message; stops at the first byte that makes no sense. Nothing that a peer
/// sends can make it read beyond the bytes or run for longer than they last.
package struct ProtobufReader {
    /// The value of a field by its wire type.
    package enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>
    /// Whether a byte made no sense: what was read before it counts, the rest is lost.
    package private(set) var isMalformed = false

    package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil at the end.
    package mutating func next() -> (number: Int, value: Value)? {
        guard !rest.isEmpty, !isMalformed else { return nil }
        guard let tag = varint(), tag >> 3 > 0, tag >> 3 < 1 << 29, let value = value(ofType: tag & 7) else {
            isMalformed = true
            return nil
        }
        return (Int(tag >> 3), value)
    }

    /// The numbers of a packed field, up to the first byte that makes no sense.
    package static func varints(in bytes: ArraySlice<UInt8>) -> [UInt64] {
        var reader = ProtobufReader(bytes)
        var numbers: [UInt64] = []
        while let number = reader.varint() { numbers.append(number) }
        return numbers
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
