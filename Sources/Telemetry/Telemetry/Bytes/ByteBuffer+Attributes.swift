internal import Glibc

/// Attributes as OTLP `KeyValue` messages. Their lengths are computed beforehand: attributes are most of a request.
extension ByteBuffer {
    /// Appends an attribute; a value under a sensitive name is replaced.
    package mutating func appendAttribute(_ field: Int, _ attribute: Attribute) {
        appendAttribute(field, attribute.key, attribute.value)
    }

    /// Appends an attribute; a value under a sensitive name is replaced.
    package mutating func appendAttribute(_ field: Int, _ key: AttributeKey, _ value: AttributeValue) {
        if key.isSensitive { return appendAttribute(field, key.name, .string(Redaction.text)) }
        switch value {
        case .string(let text): appendAttribute(field, key.name, text: text)
        default: appendAttribute(field, key.name, value)
        }
    }

    /// Appends an attribute as it is.
    package mutating func appendAttribute(_ field: Int, _ key: String, _ value: AttributeValue) {
        let valueLength = ByteBuffer.anyValueLength(value)
        let keyLength = key.utf8.count
        let length =
            1 + ByteBuffer.varintLength(UInt64(keyLength)) + keyLength
            + 1 + ByteBuffer.varintLength(UInt64(valueLength)) + valueLength
        reserve(length + 12)
        appendVarint(UInt64(field) << 3 | 2)
        appendVarint(UInt64(length))
        appendField(1, key)
        append(2 << 3 | 2)
        appendVarint(UInt64(valueLength))
        appendAnyValue(value)
    }

    /// Appends a text attribute: the usual kind, written with one check of the capacity.
    @inline(__always)
    package mutating func appendAttribute(_ field: Int, _ key: String, text: String) {
        var (key, text) = (key, text)
        key.withUTF8 { key in
            text.withUTF8 { text in appendText(UInt8(truncatingIfNeeded: field << 3 | 2), key, text) }
        }
    }

    private mutating func appendText(
        _ tag: UInt8, _ key: UnsafeBufferPointer<UInt8>, _ text: UnsafeBufferPointer<UInt8>
    ) {
        let valueLength = 1 &+ ByteBuffer.varintLength(UInt64(text.count)) &+ text.count
        let length =
            2 &+ ByteBuffer.varintLength(UInt64(key.count)) &+ key.count
            &+ ByteBuffer.varintLength(UInt64(valueLength)) &+ valueLength
        reserve(length &+ Self.maxHeadBytes)
        // Room for all of it: nothing is checked from here on.
        var at = base + count
        at.pointee = tag
        at = Self.writeVarint(length, at + 1)
        at.pointee = 0x0A
        at = Self.writeVarint(key.count, at + 1)
        if let address = key.baseAddress { memcpy(at, address, key.count) }
        at += key.count
        at.pointee = 0x12
        at = Self.writeVarint(valueLength, at + 1)
        at.pointee = 0x0A
        at = Self.writeVarint(text.count, at + 1)
        if let address = text.baseAddress { memcpy(at, address, text.count) }
        count = (at + text.count) - base
    }

    /// The tag of a field below 16 and a length.
    private static let maxHeadBytes = 12

    @inline(__always)
    static func writeVarint(_ value: Int, _ target: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var (rest, target) = (value, target)
        while rest >= 0x80 {
            target.pointee = UInt8(truncatingIfNeeded: rest) | 0x80
            target += 1
            rest >>= 7
        }
        target.pointee = UInt8(truncatingIfNeeded: rest)
        return target + 1
    }

    /// Appends an integer attribute.
    @inline(__always)
    package mutating func appendAttribute(_ field: Int, _ key: String, integer: Int) {
        var key = key
        key.withUTF8 {
            appendInteger(UInt8(truncatingIfNeeded: field << 3 | 2), $0, UInt64(bitPattern: Int64(integer)))
        }
    }

    private mutating func appendInteger(_ tag: UInt8, _ key: UnsafeBufferPointer<UInt8>, _ bits: UInt64) {
        let valueLength = 1 &+ ByteBuffer.varintLength(bits)
        let length = 3 &+ ByteBuffer.varintLength(UInt64(key.count)) &+ key.count &+ valueLength
        reserve(length &+ Self.maxHeadBytes)
        var at = base + count
        at.pointee = tag
        at = Self.writeVarint(length, at + 1)
        at.pointee = 0x0A
        at = Self.writeVarint(key.count, at + 1)
        if let address = key.baseAddress { memcpy(at, address, key.count) }
        at += key.count
        at.pointee = 0x12
        (at + 1).pointee = UInt8(truncatingIfNeeded: valueLength)
        (at + 2).pointee = 0x18
        count = (at + 3) - base
        appendVarint(bits)
    }

    /// The bytes of an `AnyValue` message without its own head.
    package static func anyValueLength(_ value: AttributeValue) -> Int {
        switch value {
        case .string(let text): 1 + varintLength(UInt64(text.utf8.count)) + text.utf8.count
        case .bool: 2
        case .int(let number): 1 + varintLength(UInt64(bitPattern: Int64(number)))
        case .double: 9
        case .strings(let texts):
            1 + varintLength(UInt64(arrayLength(texts))) + arrayLength(texts)
        }
    }

    private static func arrayLength(_ texts: [String]) -> Int {
        texts.reduce(0) { sum, text in
            let element = anyValueLength(.string(text))
            return sum + 1 + varintLength(UInt64(element)) + element
        }
    }

    /// Appends the fields of an `AnyValue` message.
    package mutating func appendAnyValue(_ value: AttributeValue) {
        switch value {
        case .string(let text): appendField(1, text)
        case .bool(let flag): appendField(2, varint: flag ? 1 : 0)
        case .int(let number): appendField(3, varint: UInt64(bitPattern: Int64(number)))
        case .double(let number): appendField(4, double: number)
        case .strings(let texts):
            append(5 << 3 | 2)
            appendVarint(UInt64(ByteBuffer.arrayLength(texts)))
            for text in texts {
                append(1 << 3 | 2)
                appendVarint(UInt64(ByteBuffer.anyValueLength(.string(text))))
                appendField(1, text)
            }
        }
    }
}
