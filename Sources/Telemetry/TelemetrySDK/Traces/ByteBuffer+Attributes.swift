internal import Telemetry

/// Attributes as OTLP `KeyValue` messages. Their lengths are computed beforehand: attributes are most of a request.
extension ByteBuffer {
    /// Appends an attribute; a value under a sensitive name is replaced.
    mutating func appendAttribute(_ field: Int, _ attribute: Attribute) {
        appendAttribute(
            field, attribute.key.name, attribute.key.isSensitive ? .string(Redaction.text) : attribute.value)
    }

    mutating func appendAttribute(_ field: Int, _ key: String, _ value: AttributeValue) {
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

    /// The bytes of an `AnyValue` message without its own head.
    private static func anyValueLength(_ value: AttributeValue) -> Int {
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

    private mutating func appendAnyValue(_ value: AttributeValue) {
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
