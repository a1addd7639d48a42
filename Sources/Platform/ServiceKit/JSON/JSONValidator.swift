internal import Telemetry

/// Checks JSON (RFC 8259) strictly before anything decodes it: what two readers could take differently, or what costs
/// too much to read, is refused. Reads each byte once and recurses no deeper than its limit.
struct JSONValidator: ~Copyable {
    /// Lists and objects within each other.
    static let maxDepth = 64
    /// Digits of one number, all parts together.
    static let maxDigits = 32
    /// Digits of an exponent.
    static let maxExponentDigits = 3

    private let bytes: [UInt8]
    private var index = 0
    /// The keys of the outermost object, as they are meant.
    private var topLevelKeys: [String] = []

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: the keys of the outermost object; nothing for other values.
    /// - Throws: `JSONSyntaxError`.
    static func validate(_ body: [UInt8]) throws(JSONSyntaxError) -> [String] {
        if body.isEmpty { throw JSONSyntaxError(.empty, at: 0) }
        if body.starts(with: [0xEF, 0xBB, 0xBF]) { throw JSONSyntaxError(.byteOrderMark, at: 0) }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: body.span)
        } catch {
            throw JSONSyntaxError(.invalidUTF8, at: error.byteOffsets.lowerBound)
        }
        var validator = JSONValidator(body)
        validator.skipSpace()
        if validator.index == body.count { throw JSONSyntaxError(.empty, at: body.count) }
        try validator.value(depth: 0)
        validator.skipSpace()
        guard validator.index == body.count else { throw JSONSyntaxError(.trailing, at: validator.index) }
        return validator.topLevelKeys
    }

    // MARK: Grammar

    private mutating func value(depth: Int) throws(JSONSyntaxError) {
        switch try peek() {
        case UInt8(ascii: "{"): try object(depth: depth)
        case UInt8(ascii: "["): try array(depth: depth)
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case UInt8(ascii: "-"), 0x30...0x39: try number()
        default: throw JSONSyntaxError(.unexpected, at: index)
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) {
        guard depth < Self.maxDepth else { throw JSONSyntaxError(.tooDeep, at: index) }
        index &+= 1
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            index &+= 1
            return
        }
        var keys = JSONKeySet()
        while true {
            let start = index
            guard try peek() == UInt8(ascii: "\"") else { throw JSONSyntaxError(.unexpected, at: index) }
            let isEscaped = try string()
            let key = start &+ 1..<index &- 1
            let resolved = isEscaped ? JSONEscapes.resolve(bytes[key]) : nil
            let isNew = resolved.map { keys.insert($0, of: bytes) } ?? keys.insert(key, of: bytes)
            guard isNew else { throw JSONSyntaxError(.duplicateKey, at: start) }
            if depth == 0 {
                topLevelKeys.append(String(decoding: resolved ?? Array(bytes[key]), as: UTF8.self))
            }
            skipSpace()
            guard try peek() == UInt8(ascii: ":") else { throw JSONSyntaxError(.unexpected, at: index) }
            index &+= 1
            skipSpace()
            try value(depth: depth + 1)
            skipSpace()
            if try separator(or: UInt8(ascii: "}")) { return }
        }
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) {
        guard depth < Self.maxDepth else { throw JSONSyntaxError(.tooDeep, at: index) }
        index &+= 1
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            index &+= 1
            return
        }
        while true {
            try value(depth: depth + 1)
            skipSpace()
            if try separator(or: UInt8(ascii: "]")) { return }
        }
    }

    /// Takes a comma, or the end of the container.
    /// - Returns: whether it was the end.
    private mutating func separator(or end: UInt8) throws(JSONSyntaxError) -> Bool {
        let byte = try peek()
        guard byte == end || byte == UInt8(ascii: ",") else { throw JSONSyntaxError(.unexpected, at: index) }
        index &+= 1
        if byte == end { return true }
        skipSpace()
        return false
    }

    private mutating func literal(_ word: StaticString) throws(JSONSyntaxError) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard index < bytes.count else { throw JSONSyntaxError(.unexpectedEnd, at: index) }
            guard bytes[index] == word.utf8Start[offset] else { throw JSONSyntaxError(.unexpected, at: index) }
            index &+= 1
        }
    }

    private mutating func number() throws(JSONSyntaxError) {
        let start = index
        if bytes[index] == UInt8(ascii: "-") { index &+= 1 }
        let whole = digits()
        let hasLeadingZero = whole > 1 && bytes[index &- whole] == UInt8(ascii: "0")
        guard whole > 0, !hasLeadingZero else { throw JSONSyntaxError(.number, at: start) }
        var count = whole
        if isAt(UInt8(ascii: ".")) {
            index &+= 1
            let fraction = digits()
            guard fraction > 0 else { throw JSONSyntaxError(.number, at: start) }
            count += fraction
        }
        if isAt(UInt8(ascii: "e")) || isAt(UInt8(ascii: "E")) {
            index &+= 1
            if isAt(UInt8(ascii: "+")) || isAt(UInt8(ascii: "-")) { index &+= 1 }
            let exponent = digits()
            guard exponent > 0 else { throw JSONSyntaxError(.number, at: start) }
            guard exponent <= Self.maxExponentDigits else { throw JSONSyntaxError(.tooManyDigits, at: start) }
            count += exponent
        }
        guard count <= Self.maxDigits else { throw JSONSyntaxError(.tooManyDigits, at: start) }
    }

    private mutating func digits() -> Int {
        let start = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index &+= 1 }
        return index &- start
    }

    // MARK: Strings

    /// - Returns: whether the string has escapes.
    private mutating func string() throws(JSONSyntaxError) -> Bool {
        index &+= 1
        var isEscaped = false
        while true {
            let byte = try peek()
            if byte == UInt8(ascii: "\"") {
                index &+= 1
                return isEscaped
            }
            if byte == UInt8(ascii: "\\") {
                isEscaped = true
                try escape()
            } else if byte < 0x20 {
                throw JSONSyntaxError(.controlCharacter, at: index)
            } else {
                index &+= 1
            }
        }
    }

    private mutating func escape() throws(JSONSyntaxError) {
        let start = index
        index &+= 1
        switch try peek() {
        case UInt8(ascii: "u"):
            index &+= 1
            let unit = try hexUnit()
            if unit == 0 { throw JSONSyntaxError(.nul, at: start) }
            if (0xDC00...0xDFFF).contains(unit) { throw JSONSyntaxError(.loneSurrogate, at: start) }
            guard (0xD800...0xDBFF).contains(unit) else { return }
            guard isAt(UInt8(ascii: "\\")) else { throw JSONSyntaxError(.loneSurrogate, at: start) }
            index &+= 1
            guard isAt(UInt8(ascii: "u")) else { throw JSONSyntaxError(.loneSurrogate, at: start) }
            index &+= 1
            guard (0xDC00...0xDFFF).contains(try hexUnit()) else { throw JSONSyntaxError(.loneSurrogate, at: start) }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index &+= 1
        default: throw JSONSyntaxError(.escape, at: start)
        }
    }

    private mutating func hexUnit() throws(JSONSyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Hexadecimal.value(try peek()) else { throw JSONSyntaxError(.escape, at: index) }
            value = value << 4 | UInt32(digit)
            index &+= 1
        }
        return value
    }

    // MARK: Bytes

    private func peek() throws(JSONSyntaxError) -> UInt8 {
        guard index < bytes.count else { throw JSONSyntaxError(.unexpectedEnd, at: index) }
        return bytes[index]
    }

    private func isAt(_ byte: UInt8) -> Bool { index < bytes.count && bytes[index] == byte }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index &+= 1
            default: return
            }
        }
    }
}

/// The keys of one object: compared one by one while they are few, by hash when they are many, so that an object with
/// a hundred thousand keys costs no more than its length.
private struct JSONKeySet {
    private static let fewKeys = 16

    private var few: [Range<Int>] = []
    private var many: Set<[UInt8]> = []

    /// Adds a key without escapes. False when it is there already.
    mutating func insert(_ key: Range<Int>, of bytes: [UInt8]) -> Bool {
        guard many.isEmpty, few.count < Self.fewKeys else {
            moveToSet(bytes)
            return many.insert(Array(bytes[key])).inserted
        }
        for known in few where known.count == key.count {
            var offset = 0
            while offset < key.count, bytes[known.lowerBound + offset] == bytes[key.lowerBound + offset] { offset += 1 }
            if offset == key.count { return false }
        }
        few.append(key)
        return true
    }

    /// Adds a key whose escapes are resolved. False when it is there already.
    mutating func insert(_ key: [UInt8], of bytes: [UInt8]) -> Bool {
        moveToSet(bytes)
        return many.insert(key).inserted
    }

    private mutating func moveToSet(_ bytes: [UInt8]) {
        for key in few { many.insert(Array(bytes[key])) }
        few = []
    }
}
