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
    @inline(__always)
    package mutating func appendJSONEscaped(_ text: String, limit: Int = .max) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { appendJSONEscaped($0, limit: limit) }
        if done == nil { Array(text.utf8).withUnsafeBufferPointer { appendJSONEscaped($0, limit: limit) } }
    }

    /// The same, looking out for signs of secrets on the way.
    @inline(__always)
    mutating func appendWatched(_ text: String, limit: Int) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { appendWatched($0, limit: limit) }
        if done == nil { Array(text.utf8).withUnsafeBufferPointer { appendWatched($0, limit: limit) } }
    }

    private mutating func appendWatched(_ source: UnsafeBufferPointer<UInt8>, limit: Int) {
        appendJSONEscaped(source, limit: limit)
        // The whole text is asked: a secret that was cut has no end.
        if PatternRedaction.isSuspicious(source) { isSuspicious = true }
    }

    /// Appends valid UTF-8 escaped, without quotes.
    package mutating func appendJSONEscaped(_ source: UnsafeBufferPointer<UInt8>, limit: Int = .max) {
        guard let bytes = source.baseAddress else { return }
        var length = source.count
        if length > limit {
            length = limit
            // Never cut inside a character.
            while length > 0, bytes[length] & 0xC0 == 0x80 { length -= 1 }
        }
        reserve(length)
        let plain = ByteBuffer.copyPlain(bytes, count: length, to: base + count)
        count &+= plain
        if plain < length { appendEscaping(bytes, from: plain, to: length) }
        if length < source.count { append("…" as StaticString) }
    }

    /// Copies up to the first byte that may need an escape: a control, a quote, a backslash, DEL, or anything beyond
    /// ASCII. Eight bytes at a time: log lines are mostly plain. `target` has room for `length` bytes.
    /// - Returns: how many bytes were copied.
    @inline(__always)
    private static func copyPlain(
        _ bytes: UnsafePointer<UInt8>, count length: Int, to target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let source = UnsafeRawPointer(bytes)
        let target = UnsafeMutableRawPointer(target)
        var index = 0
        while length &- index >= 8 {
            let word = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            target.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
            let found = specials(word)
            if found != 0 { return index &+ found.trailingZeroBitCount / 8 }
            index &+= 8
        }
        if index < length, length >= 8 {
            // The last eight bytes, some of them again: those were plain.
            let start = length &- 8
            let word = source.loadUnaligned(fromByteOffset: start, as: UInt64.self)
            target.storeBytes(of: word, toByteOffset: start, as: UInt64.self)
            let found = specials(word)
            return found == 0 ? length : start &+ found.trailingZeroBitCount / 8
        }
        while index < length {
            let byte = bytes[index]
            if isSpecial(byte) { return index }
            target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            index &+= 1
        }
        return length
    }

    @inline(__always)
    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x22 || byte == 0x5C || byte >= 0x7F
    }

    /// The lowest set bit is the highest bit of the first special byte, in memory order. (A borrow can only come from a
    /// special byte, so that everything below it is right.)
    @inline(__always)
    private static func specials(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let word = word.littleEndian
        let controls = word &- ones &* 0x20
        let quotes = (word ^ (ones &* 0x22)) &- ones
        let backslashes = (word ^ (ones &* 0x5C)) &- ones
        let deletes = (word ^ (ones &* 0x7F)) &- ones
        return (word | controls | quotes | backslashes | deletes) & (ones &* 0x80)
    }

    @inline(never)
    private mutating func appendEscaping(_ bytes: UnsafePointer<UInt8>, from start: Int, to length: Int) {
        var index = start
        while index < length {
            if let escape = ByteBuffer.escapeLength(bytes + index, available: length - index) {
                appendEscape(bytes + index, length: escape)
                index += escape
            } else {
                // A character beyond ASCII that may stay: its first byte, and the rest of it.
                repeat {
                    append(bytes[index])
                    index += 1
                } while index < length && bytes[index] & 0xC0 == 0x80
            }
            reserve(length - index)
            let plain = ByteBuffer.copyPlain(bytes + index, count: length - index, to: base + count)
            count &+= plain
            index += plain
        }
    }

    /// How many bytes the character that must be escaped here takes, or nil when it may stay.
    private static func escapeLength(_ bytes: UnsafePointer<UInt8>, available: Int) -> Int? {
        let first = bytes[0]
        if first < 0x80 { return isSpecial(first) ? 1 : nil }
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
