/// Finds secrets in text that has bytes of the kind, each with the pattern that its first sign calls for.
struct SecretFinder {
    let bytes: UnsafeBufferPointer<UInt8>
    private var output: [UInt8] = []
    /// What is not yet in the output begins here.
    private(set) var kept = 0
    private(set) var index = 0

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
            case UInt8(ascii: "@"): secret = userInfo() ?? address(signLength: 1)
            case UInt8(ascii: "%"): secret = percentEncoded()
            case UInt8(ascii: "B"), UInt8(ascii: "b"): secret = credential()
            case UInt8(ascii: "e"): secret = webToken()
            case UInt8(ascii: "+"): secret = telephone(signLength: 1)
            case UInt8(ascii: "="), UInt8(ascii: ":"): secret = assignment()
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

    /// `name%40host.example` and `%2B421905123456`, as URLs have them.
    private func percentEncoded() -> Range<Int>? {
        if matches("%40", at: index) { return address(signLength: 3) }
        return matches("%2b", at: index) ? telephone(signLength: 3) : nil
    }

    /// `name@host.example`.
    private func address(signLength: Int) -> Range<Int>? {
        var start = index
        while start > kept, index - start < 64, Self.isLocal(bytes[start - 1]) { start -= 1 }
        guard start < index else { return nil }
        let host = index + signLength
        var end = host
        var lastDot: Int?
        while end < bytes.count, end - index < Self.maxReach, Self.isHost(bytes[end]) {
            if bytes[end] == UInt8(ascii: ".") { lastDot = end }
            end += 1
        }
        // The dot at the end of a sentence is not the address's.
        while end > host, bytes[end - 1] == UInt8(ascii: ".") || bytes[end - 1] == UInt8(ascii: "-") {
            end -= 1
            if lastDot == end { lastDot = bytes[host..<end].lastIndex(of: UInt8(ascii: ".")) }
        }
        guard let lastDot, end - lastDot > 2, lastDot > host else { return nil }
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
        let scheme = schemeLength(at: index)
        guard scheme > 0 else { return nil }
        let start = afterBlanks(index + scheme)
        var end = start
        var hasSign = false
        while end < bytes.count, Self.isToken(bytes[end]) {
            if !Self.isLetter(bytes[end]) { hasSign = true }
            end += 1
        }
        // A word of a sentence is not a credential.
        return end - start >= 20 || (end - start >= 6 && hasSign) ? start..<end : nil
    }

    /// The bytes of `Bearer ` or `Basic `, or zero when there is another word.
    func schemeLength(at start: Int) -> Int {
        if matches("bearer ", at: start) { return 7 }
        return matches("basic ", at: start) ? 6 : 0
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
    private func telephone(signLength: Int) -> Range<Int>? {
        guard index == 0 || !Self.isWord(bytes[index - 1]) else { return nil }
        guard let number = digits(from: index + signLength, between: " -.()/", atMost: 2),
            (8...15).contains(number.count), number.first != 0
        else { return nil }
        return index..<number.end
    }

    /// A card number (ISO/IEC 7812): digits that pass Luhn's check, in a row or in groups, 15 characters at least and
    /// 19 digits at most.
    private func card() -> Range<Int>? {
        guard index == 0 || !(Self.isWord(bytes[index - 1]) || bytes[index - 1] == UInt8(ascii: ".")) else {
            return nil
        }
        guard let number = digits(from: index, between: " -", atMost: 1), (13...19).contains(number.count),
            number.end - index >= 15, (2...6).contains(number.first), number.luhnSum % 10 == 0,
            number.end == bytes.count || !Self.isWord(bytes[number.end])
        else { return nil }
        return index..<number.end
    }

    // MARK: Characters

    /// A number that was found.
    private struct Digits {
        let first: UInt8
        var count = 0
        var end: Int
        /// Luhn's sums: with every second digit doubled from the last one but one, and from the last one.
        var luhnSum = 0
        var otherLuhnSum = 0

        mutating func append(_ digit: UInt8, at position: Int) {
            let doubled = digit > 4 ? Int(digit) * 2 - 9 : Int(digit) * 2
            (luhnSum, otherLuhnSum) = (otherLuhnSum + Int(digit), luhnSum + doubled)
            count += 1
            end = position + 1
        }
    }

    /// Digits with at most so many of `separators` between two.
    private func digits(from start: Int, between separators: StaticString, atMost limit: Int) -> Digits? {
        var number: Digits?
        var position = start
        while position < bytes.count, number?.count ?? 0 < 24 {
            let byte = bytes[position]
            if Self.isDigit(byte) {
                if number == nil { number = Digits(first: byte - 0x30, end: position) }
                number?.append(byte - 0x30, at: position)
            } else if position - (number?.end ?? start) >= limit || !separators.contains(byte) {
                break
            }
            position += 1
        }
        return number
    }

    func matches(_ word: StaticString, at start: Int, isExact: Bool = false) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - start >= length else { return false }
        for offset in 0..<length {
            let byte = bytes[start + offset]
            if (isExact ? byte : Self.lowercased(byte)) != word.utf8Start[offset] { return false }
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    /// Of base64url, and of names.
    static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    /// `token68` (RFC 9110, section 11.2).
    static func isToken(_ byte: UInt8) -> Bool {
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

    static func isDelimiter(_ byte: UInt8) -> Bool {
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
