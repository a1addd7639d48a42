/// Finds secrets in text that has bytes of the kind, each with the pattern that its first sign calls for.
struct SecretFinder {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var output: [UInt8] = []
    /// What is not yet in the output begins here.
    private var kept = 0
    private var index = 0

    /// Bytes that are looked at on either side of a sign.
    private static let maxReach = 256

    /// The bytes with secrets replaced, or nil when there are none.
    static func redacted(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var finder = SecretFinder(bytes: bytes)
        finder.run()
        guard finder.kept > 0 else { return nil }
        finder.output.append(contentsOf: bytes[finder.kept...])
        return finder.output
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func run() {
        while index < bytes.count {
            let secret: Range<Int>?
            switch bytes[index] {
            case UInt8(ascii: "@"): secret = userInfo() ?? address()
            case UInt8(ascii: "B"), UInt8(ascii: "b"): secret = credential()
            case UInt8(ascii: "e"): secret = webToken()
            case UInt8(ascii: "+"): secret = telephone()
            case UInt8(ascii: "="): secret = assignment()
            case 0x30...0x39: secret = card()
            default: secret = nil
            }
            if let secret, secret.lowerBound >= kept, secret.upperBound > kept {
                output.append(contentsOf: bytes[kept..<secret.lowerBound])
                output.append(contentsOf: Redaction.text.utf8)
                kept = secret.upperBound
                index = secret.upperBound
            } else if secret == nil, Self.isDigit(bytes[index]) {
                // A number is looked at from its beginning only.
                while index < bytes.count, Self.isDigit(bytes[index]) { index += 1 }
            } else {
                index += 1
            }
        }
    }

    // MARK: Patterns

    /// `name@host.example`.
    private func address() -> Range<Int>? {
        var start = index
        while start > kept, index - start < 64, Self.isLocal(bytes[start - 1]) { start -= 1 }
        guard start < index else { return nil }
        var end = index + 1
        var lastDot: Int?
        while end < bytes.count, end - index < Self.maxReach, Self.isHost(bytes[end]) {
            if bytes[end] == UInt8(ascii: ".") { lastDot = end }
            end += 1
        }
        // The dot at the end of a sentence is not the address's.
        while end > index, bytes[end - 1] == UInt8(ascii: ".") || bytes[end - 1] == UInt8(ascii: "-") {
            end -= 1
            if lastDot == end { lastDot = bytes[index..<end].lastIndex(of: UInt8(ascii: ".")) }
        }
        guard let lastDot, end - lastDot > 2, lastDot > index + 1 else { return nil }
        return start..<end
    }

    /// `user:password` of `scheme://user:password@host`.
    private func userInfo() -> Range<Int>? {
        var start = index
        while start > kept, index - start < Self.maxReach {
            let byte = bytes[start - 1]
            if byte == UInt8(ascii: "/") {
                guard start >= 3, bytes[start - 2] == byte, bytes[start - 3] == UInt8(ascii: ":"), start < index,
                    bytes[start..<index].contains(UInt8(ascii: ":"))
                else { return nil }
                return start..<index
            }
            if byte <= 0x20 { return nil }
            start -= 1
        }
        return nil
    }

    /// What follows `Bearer ` or `Basic `.
    private func credential() -> Range<Int>? {
        guard index == 0 || !Self.isWord(bytes[index - 1]) else { return nil }
        for scheme in ["bearer ", "basic "] as [StaticString] where matches(scheme, at: index) {
            let start = index + scheme.utf8CodeUnitCount
            var end = start
            var hasSign = false
            while end < bytes.count, Self.isToken(bytes[end]) {
                if !Self.isLetter(bytes[end]) { hasSign = true }
                end += 1
            }
            // A word of a sentence is not a credential.
            return end - start >= 20 || (end - start >= 6 && hasSign) ? start..<end : nil
        }
        return nil
    }

    /// `eyJ….….…`: base64url of a JSON header, then at least one more part (RFC 7519).
    private func webToken() -> Range<Int>? {
        guard matches("eyJ", at: index, isExact: true), index == 0 || !Self.isWord(bytes[index - 1]) else {
            return nil
        }
        var end = index
        var dots = 0
        while end < bytes.count, Self.isWord(bytes[end]) || bytes[end] == UInt8(ascii: ".") {
            if bytes[end] == UInt8(ascii: ".") { dots += 1 }
            end += 1
        }
        return dots > 0 && end - index >= 20 ? index..<end : nil
    }

    /// `+` and 8 to 15 digits (E.164), with single spaces, dots, dashes or brackets between.
    private func telephone() -> Range<Int>? {
        guard index == 0 || !Self.isWord(bytes[index - 1]) else { return nil }
        guard let (digits, end) = digits(from: index + 1, between: " -.()/", atMost: 2), digits.count >= 8,
            digits.count <= 15,
            digits[0] != 0
        else { return nil }
        return index..<end
    }

    /// A card number (ISO/IEC 7812): digits that pass Luhn's check, in a row or in groups, 15 characters at least and
    /// 19 digits at most.
    private func card() -> Range<Int>? {
        guard index == 0 || !(Self.isWord(bytes[index - 1]) || bytes[index - 1] == UInt8(ascii: ".")) else {
            return nil
        }
        guard let (digits, end) = digits(from: index, between: " -", atMost: 1), digits.count >= 13, digits.count <= 19,
            end - index >= 15,
            (2...6).contains(digits[0]), end == bytes.count || !Self.isWord(bytes[end])
        else { return nil }
        var sum = 0
        for (place, digit) in digits.reversed().enumerated() {
            let doubled = place % 2 == 1 ? Int(digit) * 2 : Int(digit)
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return sum % 10 == 0 ? index..<end : nil
    }

    /// The value of `password=…` and the like.
    private func assignment() -> Range<Int>? {
        var start = index
        while start > kept, index - start < 64, Self.isWord(bytes[start - 1]) { start -= 1 }
        guard start < index, SensitiveNames.matches(String(decoding: bytes[start..<index], as: UTF8.self)) else {
            return nil
        }
        var end = index + 1
        let quote = end < bytes.count && (bytes[end] == 0x22 || bytes[end] == 0x27) ? bytes[end] : 0
        if quote != 0 {
            end += 1
            while end < bytes.count, bytes[end] != quote { end += 1 }
            if end < bytes.count { end += 1 }
        } else {
            while end < bytes.count, bytes[end] > 0x20, !Self.isDelimiter(bytes[end]) { end += 1 }
        }
        return end > index + 1 ? index + 1..<end : nil
    }

    // MARK: Characters

    /// Digits with at most so many of `separators` between two.
    private func digits(
        from start: Int, between separators: StaticString, atMost limit: Int
    ) -> (digits: [UInt8], end: Int)? {
        var digits: [UInt8] = []
        var position = start
        var end = start
        while position < bytes.count, digits.count < 24 {
            let byte = bytes[position]
            if Self.isDigit(byte) {
                digits.append(byte - 0x30)
                end = position + 1
            } else if position - end >= limit || !separators.contains(byte) {
                break
            }
            position += 1
        }
        return digits.isEmpty ? nil : (digits, end)
    }

    private func matches(_ word: StaticString, at start: Int, isExact: Bool = false) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - start >= length else { return false }
        for offset in 0..<length {
            let byte = bytes[start + offset]
            if (isExact ? byte : Self.lowercased(byte)) != word.utf8Start[offset] { return false }
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    /// Of base64url, and of names.
    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    /// `token68` (RFC 9110, section 11.2).
    private static func isToken(_ byte: UInt8) -> Bool {
        isWord(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") || byte == UInt8(ascii: "+")
            || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "=")
    }

    /// Of the part before the `@`; bytes beyond ASCII are letters there, too.
    private static func isLocal(_ byte: UInt8) -> Bool {
        isWord(byte) || byte >= 0x80 || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "+")
            || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "'")
    }

    private static func isHost(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte >= 0x80 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: ")"), 0x22, 0x27: true
        default: false
        }
    }
}

extension StaticString {
    fileprivate func contains(_ byte: UInt8) -> Bool {
        for offset in 0..<utf8CodeUnitCount where utf8Start[offset] == byte { return true }
        return false
    }
}
