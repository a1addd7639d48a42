/// Values that a sensitive name stands before: `password=…`, `x-api-key: …`, `"password": "…"`, `user[password]=…`.
extension SecretFinder {
    private static let maxNameBytes = 64

    /// What is assigned by the `=` or `:` here, when the name before it says that nobody should see it.
    func assignment() -> Range<Int>? {
        guard let name = name(), SensitiveNames.matches(UnsafeBufferPointer(rebasing: bytes[name.range])) else {
            return nil
        }
        let isColon = bytes[index] == UInt8(ascii: ":")
        var start = index + 1
        if start < bytes.count {
            switch bytes[start] {
            // `Token::parse` is a name, `token://…` is an address, and `token == …` assigns nothing.
            case UInt8(ascii: ":"): return nil
            case UInt8(ascii: "/") where isColon && start + 1 < bytes.count && bytes[start + 1] == bytes[start]:
                return nil
            case UInt8(ascii: "="):
                if !isColon { return nil }
                start += 1
            case UInt8(ascii: ">") where !isColon: start += 1
            default: break
            }
        }
        start = afterBlanks(start)
        guard start < bytes.count, !isHidden(start) else { return nil }
        if let quote = quote(at: start) {
            let (end, isClosed) = endOfQuoted(from: start + quote.length, quote)
            // What was quoted on both sides stays so.
            if name.isQuoted { return start + quote.length..<end }
            return start..<(isClosed ? end + quote.length : end)
        }
        if bytes[start] == UInt8(ascii: "[") || bytes[start] == UInt8(ascii: "{") { return start..<endOfGroup(start) }
        let end = isColon && isHeader(name.range) ? endOfHeader(&start) : endOfWord(start, isColon)
        return end > start ? start..<end : nil
    }

    /// The name before the sign, without quotes and brackets.
    private func name() -> (range: Range<Int>, isQuoted: Bool)? {
        var end = index
        while end > kept, Self.isBlank(bytes[end - 1]) { end -= 1 }
        if end > kept, bytes[end - 1] == UInt8(ascii: "]") { end -= 1 }
        let isQuoted = end > kept && (bytes[end - 1] == 0x22 || bytes[end - 1] == 0x27)
        if isQuoted {
            end -= 1
            if end > kept, bytes[end - 1] == UInt8(ascii: "\\") { end -= 1 }
        }
        var start = wordStart(before: end)
        // `API key: …` and `card number: …`.
        let isSecondWord =
            end - start == 3 && matches("key", at: start) || end - start == 6 && matches("number", at: start)
        if isSecondWord, start > kept + 1, bytes[start - 1] == 0x20 { start = wordStart(before: start - 1) }
        return end - start > 2 ? (start..<end, isQuoted) : nil
    }

    private func wordStart(before end: Int) -> Int {
        var start = end
        while start > kept, end - start < Self.maxNameBytes,
            Self.isWord(bytes[start - 1]) || bytes[start - 1] == UInt8(ascii: "%")
        {
            start -= 1
        }
        return start
    }

    func afterBlanks(_ start: Int) -> Int {
        var start = start
        while start < bytes.count, Self.isBlank(bytes[start]) { start += 1 }
        return start
    }

    /// Whether somebody hid the value already.
    private func isHidden(_ start: Int) -> Bool {
        if matches("[redacted]", at: start) { return true }
        let end = start + 8
        return matches("redacted", at: start) && (end == bytes.count || !Self.isWord(bytes[end]))
    }

    // MARK: Ends

    /// A quote, behind a backslash when the whole text was quoted once more.
    private struct Quote {
        let byte: UInt8
        let isEscaped: Bool
        var length: Int { isEscaped ? 2 : 1 }
    }

    private func quote(at start: Int) -> Quote? {
        let isEscaped = bytes[start] == UInt8(ascii: "\\") && start + 1 < bytes.count
        let byte = bytes[isEscaped ? start + 1 : start]
        return byte == 0x22 || byte == 0x27 ? Quote(byte: byte, isEscaped: isEscaped) : nil
    }

    /// Where the closing quote begins, or the text ends.
    private func endOfQuoted(from start: Int, _ quote: Quote) -> (end: Int, isClosed: Bool) {
        var end = start
        var backslashes = 0
        while end < bytes.count {
            if bytes[end] == UInt8(ascii: "\\") {
                backslashes += 1
            } else {
                if bytes[end] == quote.byte {
                    if quote.isEscaped, backslashes == 1 { return (end - 1, true) }
                    if !quote.isEscaped, backslashes % 2 == 0 { return (end, true) }
                }
                backslashes = 0
            }
            end += 1
        }
        return (end, false)
    }

    /// Behind the bracket that closes the list or object, or where the text ends.
    private func endOfGroup(_ start: Int) -> Int {
        var depth = 0
        var end = start
        while end < bytes.count {
            switch bytes[end] {
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case 0x22:
                end = endOfQuoted(from: end + 1, Quote(byte: 0x22, isEscaped: false)).end
            default: break
            }
            end += 1
            if depth == 0 { break }
        }
        return min(end, bytes.count)
    }

    /// Whether the name is that of a header whose value has several words.
    private func isHeader(_ name: Range<Int>) -> Bool {
        for start in name where matches("authorization", at: start) || matches("cookie", at: start) { return true }
        return false
    }

    /// The end of the line; of the credential when its scheme is one of those that may be shown, from which `start`
    /// moves on.
    private func endOfHeader(_ start: inout Int) -> Int {
        let scheme = schemeLength(at: start)
        if scheme > 0 { start = afterBlanks(start + scheme) }
        var end = start
        if scheme > 0 {
            while end < bytes.count, Self.isToken(bytes[end]) { end += 1 }
            return end
        }
        while end < bytes.count, bytes[end] != 0x0A, bytes[end] != 0x0D { end += 1 }
        return end
    }

    /// The end of a word, or of a number in groups.
    private func endOfWord(_ start: Int, _ isColon: Bool) -> Int {
        var end = start
        var isNumber = true
        while end < bytes.count {
            let byte = bytes[end]
            if byte == 0x20 {
                guard isNumber, end - start < 24, end + 1 < bytes.count, (0x30...0x39).contains(bytes[end + 1]) else {
                    break
                }
            } else if byte < 0x20 || Self.isDelimiter(byte)
                || isColon && (byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]"))
            {
                break
            }
            if !(0x28...0x39).contains(byte) && byte != 0x20 { isNumber = false }
            end += 1
        }
        return end
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
