internal import ServiceKit

/// A value in JSON text, by its place: nothing is copied until somebody asks for it. Every step checks bounds, so that
/// text which nobody has validated costs an error and no more.
struct JSONNode {
    enum Kind: Hashable { case null, bool, number, string, array, object }

    let bytes: [UInt8]
    let range: Range<Int>
    let kind: Kind

    /// The text is not JSON.
    struct Malformed: Error {}

    /// The one value of a text.
    init(whole bytes: [UInt8]) throws(Malformed) {
        var scanner = Scanner(bytes: bytes, position: 0)
        scanner.skipSpace()
        self = try scanner.value()
        scanner.skipSpace()
        guard scanner.position == bytes.count else { throw Malformed() }
    }

    fileprivate init(bytes: [UInt8], range: Range<Int>, kind: Kind) {
        self.bytes = bytes
        self.range = range
        self.kind = kind
    }

    /// The text of the value as it stands.
    var text: String { String(decoding: bytes[range], as: UTF8.self) }
    /// Nil unless it is `true` or `false`.
    var bool: Bool? { kind == .bool ? bytes[range.lowerBound] == UInt8(ascii: "t") : nil }
    /// What a string means; nil for other values.
    var string: String? {
        guard kind == .string else { return nil }
        let text = bytes[range.lowerBound + 1..<range.upperBound - 1]
        let isEscaped = text.contains(UInt8(ascii: "\\"))
        return isEscaped
            ? String(decoding: JSONEscapes.resolve(text), as: UTF8.self) : String(decoding: text, as: UTF8.self)
    }

    /// The members of an object in order; nothing for other values.
    func members() throws(Malformed) -> [(name: String, value: JSONNode)] {
        guard kind == .object else { return [] }
        var members: [(name: String, value: JSONNode)] = []
        var scanner = Scanner(bytes: bytes, position: range.lowerBound + 1)
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "}")) { return [] }
        while true {
            scanner.skipSpace()
            guard let name = try scanner.value().string else { throw Malformed() }
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")) else { throw Malformed() }
            scanner.skipSpace()
            members.append((name, try scanner.value()))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "}")) { return members }
            guard scanner.take(UInt8(ascii: ",")) else { throw Malformed() }
        }
    }

    /// The elements of an array; nothing for other values.
    func elements() throws(Malformed) -> [JSONNode] {
        guard kind == .array else { return [] }
        var elements: [JSONNode] = []
        var scanner = Scanner(bytes: bytes, position: range.lowerBound + 1)
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) { return [] }
        while true {
            scanner.skipSpace()
            elements.append(try scanner.value())
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "]")) { return elements }
            guard scanner.take(UInt8(ascii: ",")) else { throw Malformed() }
        }
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position: Int

        mutating func skipSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func value() throws(Malformed) -> JSONNode {
            guard position < bytes.count else { throw Malformed() }
            let start = position
            let kind: Kind
            switch bytes[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                kind = bytes[position] == UInt8(ascii: "{") ? .object : .array
                try skipContainer()
            case UInt8(ascii: "\""):
                kind = .string
                try skipString()
            case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
                kind = bytes[position] == UInt8(ascii: "n") ? .null : .bool
                try skipWord()
            case UInt8(ascii: "-"), 0x30...0x39:
                kind = .number
                while position < bytes.count, Self.isNumberByte(bytes[position]) { position += 1 }
            default: throw Malformed()
            }
            return JSONNode(bytes: bytes, range: start..<position, kind: kind)
        }

        private static func isNumberByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"):
                true
            default: false
            }
        }

        private mutating func skipWord() throws(Malformed) {
            let words: [StaticString] = ["true", "false", "null"]
            for word in words where bytes[position...].starts(with: word.description.utf8) {
                position += word.utf8CodeUnitCount
                return
            }
            throw Malformed()
        }

        private mutating func skipString() throws(Malformed) {
            position += 1
            while position < bytes.count {
                switch bytes[position] {
                case UInt8(ascii: "\""):
                    position += 1
                    return
                case UInt8(ascii: "\\"): position += 2
                default: position += 1
                }
            }
            throw Malformed()
        }

        /// To the end of a list or an object: brackets are counted, strings are jumped over.
        private mutating func skipContainer() throws(Malformed) {
            var depth = 0
            while position < bytes.count {
                switch bytes[position] {
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    position += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    depth -= 1
                    position += 1
                    if depth == 0 { return }
                case UInt8(ascii: "\""): try skipString()
                default: position += 1
                }
            }
            throw Malformed()
        }
    }
}

/// A number of JSON as the decimal that it is: `12.50`, `1e3` and `100E-2` are exact.
struct ExactNumber {
    let isNegative: Bool
    /// Decimal digits without zeros at either end; empty for zero.
    let digits: [UInt8]
    /// How many of the digits, zeros added, stand behind the point; negative when zeros follow.
    let scale: Int

    /// Digits beyond which no number of ours goes.
    private static let maxDigits = 32

    /// Nil unless the text is a number by RFC 8259 with at most 32 digits and an exponent of at most three.
    init?(_ text: some StringProtocol) {
        var digits: [UInt8] = []
        var scale = 0
        var isNegative = false
        var rest = Array(text.utf8)[...]
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest.removeFirst()
        }
        var whole = 0
        while let byte = rest.first, (0x30...0x39).contains(byte) {
            digits.append(byte &- 0x30)
            whole += 1
            rest.removeFirst()
        }
        guard whole > 0, whole == 1 || digits[0] != 0 else { return nil }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            while let byte = rest.first, (0x30...0x39).contains(byte) {
                digits.append(byte &- 0x30)
                scale += 1
                rest.removeFirst()
            }
            guard scale > 0 else { return nil }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "+") { rest.removeFirst() }
            guard rest.count <= 4, let exponent = Int(String(decoding: rest, as: UTF8.self)) else { return nil }
            scale -= exponent
            rest = []
        }
        guard rest.isEmpty, digits.count <= Self.maxDigits else { return nil }
        while digits.first == 0 { digits.removeFirst() }
        while digits.last == 0 {
            digits.removeLast()
            scale -= 1
        }
        self.isNegative = isNegative && !digits.isEmpty
        self.digits = digits
        self.scale = digits.isEmpty ? 0 : scale
    }

    /// The number times 10 to the power of `decimals`, when that is whole and fits.
    func scaled(by decimals: Int) -> Int64? {
        let zeros = decimals - scale
        guard zeros >= 0, digits.count + zeros <= 18 else { return nil }
        var value: Int64 = 0
        for digit in digits { value = value * 10 + Int64(digit) }
        for _ in 0..<(digits.isEmpty ? 0 : zeros) { value *= 10 }
        return isNegative ? -value : value
    }
}
