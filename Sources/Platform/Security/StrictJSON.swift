/// A JSON value as tokens hold it, read without mercy (RFC 8259): no duplicate keys, no lone surrogates, no invalid
/// UTF-8, no depth beyond 8. Whoever verifies a token must never read it otherwise than whoever signed it.
enum StrictJSON: Hashable {
    case null
    case bool(Bool)
    /// A whole number without fraction or exponent that fits.
    case integer(Int64)
    /// Any other number.
    case number
    case string(String)
    case array([StrictJSON])
    case object([String: StrictJSON])

    /// Nil for anything that is not exactly one value.
    init?(_ bytes: [UInt8]) {
        var parser = Parser(bytes: bytes)
        parser.skipSpace()
        guard let value = parser.value(depth: 0) else { return nil }
        parser.skipSpace()
        guard parser.position == bytes.count else { return nil }
        self = value
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    var object: [String: StrictJSON]? { if case .object(let value) = self { value } else { nil } }
    /// Nil unless every element is a string.
    var strings: [String]? {
        guard case .array(let values) = self else { return nil }
        let strings = values.compactMap(\.string)
        return strings.count == values.count ? strings : nil
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        private static let maxDepth = 8
        private static let maxDigits = 32

        init(bytes: [UInt8]) { self.bytes = bytes }

        private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func skipSpace() {
            while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            position += 1
            return true
        }

        private mutating func take(word: StaticString) -> Bool {
            let end = position + word.utf8CodeUnitCount
            let isThere = word.withUTF8Buffer { end <= bytes.count && $0.elementsEqual(bytes[position..<end]) }
            if isThere { position = end }
            return isThere
        }

        mutating func value(depth: Int) -> StrictJSON? {
            guard depth < Self.maxDepth, let byte = next else { return nil }
            switch byte {
            case UInt8(ascii: "{"): return object(depth: depth)
            case UInt8(ascii: "["): return array(depth: depth)
            case UInt8(ascii: "\""): return string().map { .string($0) }
            case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
            case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
            case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
            default: return number()
            }
        }

        private mutating func object(depth: Int) -> StrictJSON? {
            var members: [String: StrictJSON] = [:]
            position += 1
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            while true {
                skipSpace()
                guard let key = string(), members[key] == nil else { return nil }
                skipSpace()
                guard take(UInt8(ascii: ":")) else { return nil }
                skipSpace()
                guard let value = value(depth: depth + 1) else { return nil }
                members[key] = value
                skipSpace()
                if take(UInt8(ascii: "}")) { return .object(members) }
                guard take(UInt8(ascii: ",")) else { return nil }
            }
        }

        private mutating func array(depth: Int) -> StrictJSON? {
            var elements: [StrictJSON] = []
            position += 1
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            while true {
                skipSpace()
                guard let value = value(depth: depth + 1) else { return nil }
                elements.append(value)
                skipSpace()
                if take(UInt8(ascii: "]")) { return .array(elements) }
                guard take(UInt8(ascii: ",")) else { return nil }
            }
        }

        private mutating func string() -> String? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            let start = position
            while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
                position += 1
            }
            // Nearly always there is no escape, and the bytes are the text.
            if next == UInt8(ascii: "\"") {
                defer { position += 1 }
                return String(validating: bytes[start..<position], as: UTF8.self)
            }
            var text = Array(bytes[start..<position])
            while let byte = next, byte >= 0x20 {
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalar = escape() else { return nil }
                    text.append(contentsOf: UTF8.encode(scalar) ?? .init())
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func escape() -> Unicode.Scalar? {
            guard let byte = next else { return nil }
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
            case UInt8(ascii: "b"): return "\u{08}"
            case UInt8(ascii: "f"): return "\u{0C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"):
                guard let unit = hexadecimal() else { return nil }
                guard (0xD800...0xDBFF).contains(unit) else { return Unicode.Scalar(unit) }
                guard take(word: "\\u"), let low = hexadecimal(), (0xDC00...0xDFFF).contains(low) else { return nil }
                return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
            default: return nil
            }
        }

        private mutating func hexadecimal() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            var unit: UInt32 = 0
            for byte in bytes[position..<(position + 4)] {
                let digit: UInt8
                switch byte {
                case 0x30...0x39: digit = byte - 0x30
                case 0x41...0x46: digit = byte - 0x41 + 10
                case 0x61...0x66: digit = byte - 0x61 + 10
                default: return nil
                }
                unit = unit << 4 | UInt32(digit)
            }
            position += 4
            return unit
        }

        private mutating func digits() -> Int {
            let start = position
            while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
            return position - start
        }

        private mutating func number() -> StrictJSON? {
            let start = position
            _ = take(UInt8(ascii: "-"))
            let hasLeadingZero = next == UInt8(ascii: "0")
            let whole = digits()
            guard whole > 0, whole == 1 || !hasLeadingZero else { return nil }
            var isWhole = true
            if take(UInt8(ascii: ".")) {
                isWhole = false
                guard digits() > 0 else { return nil }
            }
            if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
                isWhole = false
                position += 1
                if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
                guard digits() > 0 else { return nil }
            }
            guard position - start <= Self.maxDigits else { return nil }
            guard isWhole, let value = Int64(String(decoding: bytes[start..<position], as: UTF8.self)) else {
                return .number
            }
            return .integer(value)
        }
    }
}

extension StrictJSON {
    /// Appends a string with what JSON wants escaped.
    static func append(_ text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): json += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                json += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }

    /// Appends `["a","b"]`.
    static func append(_ texts: [String], to json: inout [UInt8]) {
        json.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            append(text, to: &json)
        }
        json.append(UInt8(ascii: "]"))
    }
}
