/// Hides what looks like a secret or a person in free text: bearer and basic credentials, JSON web tokens, card numbers,
/// e-mail addresses, international telephone numbers, passwords in URLs and in `password=…`.
///
/// A net under the rule that messages hold no such thing, not a replacement for it. A look at whole words tells at once
/// that there is nothing, as in nearly every line.
package enum PatternRedaction {
    /// What may hold a secret is looked at up to here; the line keeps less.
    private static let maxBytes = LogLineLayout.maxMessageBytes + 1_024

    /// The shortest secret is an address such as a@b.co.
    static let minBytes = 6

    /// The text without secrets; the same text when there are none.
    package static func redacted(_ text: String) -> String { cleaned(text) ?? text }

    /// The text without secrets, or nil when there are none.
    private static func cleaned(_ text: String) -> String? {
        let find = { (bytes: UnsafeBufferPointer<UInt8>) -> String? in
            let bytes = UnsafeBufferPointer(rebasing: bytes.prefix(maxBytes))
            guard isSuspicious(bytes), let cleaned = SecretFinder.redacted(bytes) else { return nil }
            return String(decoding: cleaned, as: UTF8.self)
        }
        return text.utf8.withContiguousStorageIfAvailable(find) ?? Array(text.utf8).withUnsafeBufferPointer(find)
    }

    /// Message and fields without secrets, or nil when there are none.
    static func cleaned(
        _ message: String, _ fields: borrowing Swift.Span<Attribute>
    ) -> (message: String, fields: [Attribute])? {
        var result: (message: String, fields: [Attribute])?
        if let cleaned = cleaned(message) { result = (cleaned, copy(fields)) }
        for index in 0..<fields.count where fields[index].key.traits.isDisjoint(with: [.structured, .sensitive]) {
            var value: AttributeValue?
            switch fields[index].value {
            case .string(let text): value = cleaned(text).map { .string($0) }
            case .strings(let texts):
                if texts.contains(where: { cleaned($0) != nil }) { value = .strings(texts.map(redacted)) }
            default: break
            }
            guard let value else { continue }
            if result == nil { result = (message, copy(fields)) }
            result?.fields[index] = Attribute(fields[index].key, value)
        }
        return result
    }

    private static func copy(_ fields: borrowing Swift.Span<Attribute>) -> [Attribute] {
        var result: [Attribute] = []
        result.reserveCapacity(fields.count)
        for index in 0..<fields.count { result.append(fields[index]) }
        return result
    }

    /// Whether the text deserves a second look.
    static func isSuspicious(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let start = bytes.baseAddress, bytes.count >= minBytes else { return false }
        let source = UnsafeRawPointer(start)
        let end = min(bytes.count, maxBytes)
        var index = 0
        while end &- index >= 8 {
            if signs(source.loadUnaligned(fromByteOffset: index, as: UInt64.self)) != 0 { return true }
            index &+= 8
        }
        guard index < end else { return false }
        if end >= 8 { return signs(source.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)) != 0 }
        var rest: UInt64 = 0
        while index < end {
            rest = rest << 8 | UInt64(bytes[index])
            index &+= 1
        }
        return signs(rest) != 0
    }

    /// Not zero when a word has a byte without which no pattern matches (`@ J + : = %`), the middle of `bearer` or `basic`,
    /// or nothing but digits, spaces and dashes, as every number of 15 characters has somewhere. May err on the side of
    /// caution.
    @inline(__always)
    static func signs(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones &* 0x80
        // A byte that was equal is zero, and takes its highest bit from the subtraction. `+` and `:` differ in two bits.
        let found =
            ((word ^ (ones &* 0x40)) &- ones) | ((word ^ (ones &* 0x4A)) &- ones) | ((word ^ (ones &* 0x3D)) &- ones)
            | ((word ^ (ones &* 0x25)) &- ones) | (((word | (ones &* 0x11)) ^ (ones &* 0x3B)) &- ones)
            | (schemes(word.littleEndian) &- ones)
        // Digits, spaces and dashes lie between 0x20 and 0x3F: this bit pattern is that of nearly no other word.
        let isNumeric = word & (ones &* 0xE0) == ones &* 0x20
        return found & ~word & highs | (isNumeric ? 1 : 0)
    }

    /// A zero byte at the third letter of `bearer` and `basic`, in any case. Four letters are looked at (`arer`, `asic`,
    /// and a few more that no bit tells from them) as far as they are in this word: those in its neighbours count as
    /// found, so that a word that was split is never missed.
    @inline(__always)
    private static func schemes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let lower = word | (ones &* 0x20)
        let before = (lower << 8) ^ (ones &* 0x61 &- 0x61)
        let letter = (lower | ones) ^ (ones &* 0x73)
        let next = ((lower >> 8) | (ones &* 0x0C)) ^ (ones &* 0x6D &- 0x61 << 56)
        let last = ((lower >> 16) | (ones &* 0x11)) ^ (ones &* 0x73 &- 0x6262 << 48)
        return before | letter | next | last
    }
}
