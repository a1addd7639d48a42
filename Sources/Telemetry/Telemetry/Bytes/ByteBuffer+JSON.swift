/// JSON strings (RFC 8259) that are also safe to print: C0 and C1 controls, DEL, line and paragraph separators,
/// bidirectional overrides and the byte-order mark are written as `\u` escapes, so that no value can break a line
/// or repaint a terminal.
extension ByteBuffer {
    /// Appends `text` in quotes.
    /// - Parameter limit: bytes of UTF-8 after which the text is cut, with an ellipsis.
    package mutating func appendJSONString(_ text: String, limit: Int = .max) {
        append(UInt8(ascii: "\""))
        appendJSONEscaped(text, limit: limit)
        append(UInt8(ascii: "\""))
    }

    /// Appends `text` escaped, without quotes.
    package mutating func appendJSONEscaped(_ text: String, limit: Int = .max) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { appendJSONEscaped($0, limit: limit) }
        if done == nil {
            Array(text.utf8).withUnsafeBufferPointer { appendJSONEscaped($0, limit: limit) }
        }
    }

    private mutating func appendJSONEscaped(_ source: UnsafeBufferPointer<UInt8>, limit: Int) {
        guard let bytes = source.baseAddress else { return }
        var length = source.count
        if length > limit {
            length = limit
            // Never cut inside a character.
            while length > 0, bytes[length] & 0xC0 == 0x80 { length -= 1 }
        }
        var runStart = 0
        var index = 0
        while index < length {
            index = ByteBuffer.firstSpecial(bytes, from: index, to: length)
            if index == length { break }
            guard let escape = ByteBuffer.escapeLength(bytes + index, available: length - index) else {
                index += 1
                continue
            }
            if index > runStart { append(bytes + runStart, count: index - runStart) }
            appendEscape(bytes + index, length: escape)
            index += escape
            runStart = index
        }
        if length > runStart { append(bytes + runStart, count: length - runStart) }
        if length < source.count { append("…" as StaticString) }
    }

    /// The next byte that may need an escape: a control, a quote, a backslash, DEL, or anything beyond ASCII.
    /// Eight bytes at a time: log lines are mostly plain.
    private static func firstSpecial(_ bytes: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var index = start
        while end &- index >= 8 {
            let word = UnsafeRawPointer(bytes + index).loadUnaligned(as: UInt64.self)
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let delete = word ^ (ones &* 0x7F)
            let found =
                (word | ((word &- ones &* 0x20) & ~word) | ((quote &- ones) & ~quote)
                    | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)) & highs
            if found != 0 { return index &+ found.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < end {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || byte >= 0x7F { return index }
            index &+= 1
        }
        return end
    }

    /// How many bytes the character that must be escaped here takes, or nil when it may stay.
    private static func escapeLength(_ bytes: UnsafePointer<UInt8>, available: Int) -> Int? {
        let first = bytes[0]
        if first < 0x80 { return first < 0x20 || first == 0x22 || first == 0x5C || first == 0x7F ? 1 : nil }
        switch first {
        case 0xC2 where available >= 2 && bytes[1] < 0xA0: return 2  // U+0080–U+009F
        case 0xE2 where available >= 3:
            let third = bytes[2]
            if bytes[1] == 0x80, (0x8E...0x8F).contains(third) || (0xA8...0xAE).contains(third) { return 3 }
            if bytes[1] == 0x81, (0xA6...0xA9).contains(third) { return 3 }
            return nil
        case 0xEF where available >= 3 && bytes[1] == 0xBB && bytes[2] == 0xBF: return 3  // U+FEFF
        default: return nil
        }
    }

    private mutating func appendEscape(_ bytes: UnsafePointer<UInt8>, length: Int) {
        let scalar: UInt16
        switch length {
        case 1:
            switch bytes[0] {
            case 0x22: return append("\\\"" as StaticString)
            case 0x5C: return append("\\\\" as StaticString)
            case 0x0A: return append("\\n" as StaticString)
            case 0x0D: return append("\\r" as StaticString)
            case 0x09: return append("\\t" as StaticString)
            default: scalar = UInt16(bytes[0])
            }
        case 2: scalar = UInt16(bytes[0] & 0x1F) << 6 | UInt16(bytes[1] & 0x3F)
        default: scalar = UInt16(bytes[0] & 0x0F) << 12 | UInt16(bytes[1] & 0x3F) << 6 | UInt16(bytes[2] & 0x3F)
        }
        append("\\u" as StaticString)
        for shift in [12, 8, 4, 0] as [UInt16] {
            append(ByteBuffer.hexDigit(UInt8(truncatingIfNeeded: scalar >> shift) & 0xF))
        }
    }
}
