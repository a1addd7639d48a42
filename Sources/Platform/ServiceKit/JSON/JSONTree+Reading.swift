extension JSONTree {
    /// Reads a text: strictly, and no deeper than `JSONValidator` goes.
    /// - Throws: `HTTPError` 400 with the place of what is wrong.
    package init(reading bytes: [UInt8]) throws {
        try JSONBody.check(bytes)
        var reader = Reader(bytes: bytes)
        self = reader.value()
    }

    /// The members of an object; nothing for other values.
    package var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    /// The elements of an array; nothing for other values.
    package var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The text of a string; nil for other values.
    package var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Takes text apart that is known to be JSON.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        private mutating func next() -> UInt8 {
            while [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
            return bytes[position]
        }

        mutating func value() -> JSONTree {
            switch next() {
            case UInt8(ascii: "{"): return .object(object())
            case UInt8(ascii: "["): return .array(array())
            case UInt8(ascii: "\""): return .string(string())
            case UInt8(ascii: "t"): return word(4, .bool(true))
            case UInt8(ascii: "f"): return word(5, .bool(false))
            case UInt8(ascii: "n"): return word(4, .null)
            default: return number()
            }
        }

        private mutating func word(_ length: Int, _ value: JSONTree) -> JSONTree {
            position += length
            return value
        }

        private mutating func object() -> [Member] {
            var members: [Member] = []
            position += 1
            while next() != UInt8(ascii: "}") {
                if bytes[position] == UInt8(ascii: ",") {
                    position += 1
                    _ = next()
                }
                let name = string()
                _ = next()
                position += 1
                members.append(Member(name: name, value: value()))
            }
            position += 1
            return members
        }

        private mutating func array() -> [JSONTree] {
            var elements: [JSONTree] = []
            position += 1
            while next() != UInt8(ascii: "]") {
                if bytes[position] == UInt8(ascii: ",") { position += 1 }
                elements.append(value())
            }
            position += 1
            return elements
        }

        private mutating func string() -> String {
            let start = position + 1
            position = start
            while bytes[position] != UInt8(ascii: "\"") { position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1 }
            defer { position += 1 }
            return String(decoding: JSONEscapes.resolve(bytes[start..<position]), as: UTF8.self)
        }

        private mutating func number() -> JSONTree {
            let start = position
            while position < bytes.count, !Self.endsNumber(bytes[position]) { position += 1 }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            return Int(text).map { .integer($0) } ?? .number(text)
        }

        private static func endsNumber(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"): true
            default: false
            }
        }
    }
}
