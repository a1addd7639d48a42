package import Telemetry

/// Writes OTLP requests as JSON (OTLP 1.11, JSON Protobuf Encoding): the protobuf message is read back by the field names
/// of its kind. Identifiers are hexadecimal, 64-bit integers are texts, enumerations are numbers, names lowerCamelCase.
package enum OTLPJSON {
    /// A message type: its fields by number.
    struct Message: Sendable {
        let fields: [Int: Field]
        init(_ fields: [Int: Field]) { self.fields = fields }
    }

    struct Field: Sendable {
        indirect enum Kind: Sendable {
            case text
            /// Trace and span identifiers.
            case hex
            case base64
            /// 32-bit integers, enumerations.
            case number
            /// 32-bit integers whose sign is the lowest bit.
            case zigzag
            case signed64
            /// As eight bytes, also where it is repeated.
            case unsigned64
            /// As varints where it is repeated.
            case varint64
            case double
            case bool
            case message(@Sendable () -> Message)
        }
        let name: String
        let kind: Kind
        let isRepeated: Bool
        init(_ name: String, _ kind: Kind, isRepeated: Bool = false) {
            self.name = name
            self.kind = kind
            self.isRepeated = isRepeated
        }
    }

    /// What a request carries.
    package enum Request: Sendable {
        case traces, metrics, logs
    }

    /// Appends a protobuf request as JSON.
    package static func append(_ request: Request, _ protobuf: [UInt8], to buffer: inout ByteBuffer) {
        switch request {
        case .traces: append(OTLPSchema.traces, protobuf[...], to: &buffer)
        case .metrics: append(OTLPSchema.metrics, protobuf[...], to: &buffer)
        case .logs: append(OTLPSchema.logs, protobuf[...], to: &buffer)
        }
    }

    private static func append(_ message: Message, _ bytes: ArraySlice<UInt8>, to buffer: inout ByteBuffer) {
        // A field's values may be apart from each other: they are brought together in the order of their first ones.
        var values: [(number: Int, values: [ProtobufReader.Value])] = []
        var reader = ProtobufReader(bytes)
        while let (number, value) = reader.next() {
            guard message.fields[number] != nil else { continue }
            if let index = values.firstIndex(where: { $0.number == number }) {
                values[index].values.append(value)
            } else {
                values.append((number, [value]))
            }
        }
        buffer.append(UInt8(ascii: "{"))
        for (index, entry) in values.enumerated() {
            guard let field = message.fields[entry.number] else { continue }
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            buffer.appendJSONString(field.name)
            buffer.append(UInt8(ascii: ":"))
            if field.isRepeated {
                buffer.append(UInt8(ascii: "["))
                var isFirst = true
                for value in entry.values {
                    for element in unpacked(value, field.kind) {
                        if !isFirst { buffer.append(UInt8(ascii: ",")) }
                        isFirst = false
                        append(element, field.kind, to: &buffer)
                    }
                }
                buffer.append(UInt8(ascii: "]"))
            } else if let value = entry.values.last {
                append(value, field.kind, to: &buffer)
            }
        }
        buffer.append(UInt8(ascii: "}"))
    }

    /// The elements of a packed field of 64-bit numbers; anything else is one element.
    private static func unpacked(_ value: ProtobufReader.Value, _ kind: Field.Kind) -> [ProtobufReader.Value] {
        guard case .bytes(let bytes) = value else { return [value] }
        switch kind {
        case .double, .unsigned64:
            return stride(from: bytes.startIndex, to: bytes.endIndex - 7, by: 8).map { start in
                .fixed64(bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) })
            }
        case .varint64: return ProtobufReader.varints(in: bytes).map(ProtobufReader.Value.varint)
        default: return [value]
        }
    }

    private static func append(_ value: ProtobufReader.Value, _ kind: Field.Kind, to buffer: inout ByteBuffer) {
        switch (kind, value) {
        case (.message(let nested), .bytes(let bytes)): append(nested(), bytes, to: &buffer)
        case (.text, .bytes(let bytes)): buffer.appendJSONString(String(decoding: bytes, as: UTF8.self))
        case (.hex, .bytes(let bytes)):
            buffer.append(UInt8(ascii: "\""))
            for byte in bytes {
                buffer.append(hexDigit(byte >> 4))
                buffer.append(hexDigit(byte & 0xF))
            }
            buffer.append(UInt8(ascii: "\""))
        case (.base64, .bytes(let bytes)): appendBase64(bytes, to: &buffer)
        case (.bool, .varint(let flag)): buffer.append(flag == 0 ? "false" : "true" as StaticString)
        case (.number, .varint(let bits)): buffer.appendDecimal(Int(Int64(bitPattern: bits)))
        case (.number, .fixed32(let bits)): buffer.appendDecimal(UInt64(bits))
        case (.zigzag, .varint(let bits)):
            buffer.appendDecimal(Int(Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1)))
        case (.signed64, .varint(let bits)), (.signed64, .fixed64(let bits)):
            buffer.append(UInt8(ascii: "\""))
            buffer.appendDecimal(Int(Int64(bitPattern: bits)))
            buffer.append(UInt8(ascii: "\""))
        case (.unsigned64, .varint(let bits)), (.unsigned64, .fixed64(let bits)), (.varint64, .varint(let bits)):
            buffer.append(UInt8(ascii: "\""))
            buffer.appendDecimal(bits)
            buffer.append(UInt8(ascii: "\""))
        case (.double, .fixed64(let bits)):
            let number = Double(bitPattern: bits)
            if number.isFinite {
                buffer.append(number.description)
            } else {
                buffer.append(number.isNaN ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"" as StaticString)
            }
        default: buffer.append("null" as StaticString)
        }
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble + 0x30 : nibble + 0x57 }

    private static func appendBase64(_ bytes: ArraySlice<UInt8>, to buffer: inout ByteBuffer) {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        buffer.append(UInt8(ascii: "\""))
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                let isPadding = position > group.count
                buffer.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(word >> UInt32(18 - 6 * position) & 63)])
            }
        }
        buffer.append(UInt8(ascii: "\""))
    }
}
