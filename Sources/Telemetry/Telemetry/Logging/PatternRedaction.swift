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
    package static func redacted(_ text: String) -> String {
        let isClean = text.utf8.withContiguousStorageIfAvailable { !isSuspicious($0) } ?? false
        return isClean ? text : cleaned(text) ?? text
    }

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
        let count = min(bytes.count, maxBytes)
        var found = Words()
        if count >= 16 {
            var index = 0
            while index &+ 16 < count {
                found |= signs(source.loadUnaligned(fromByteOffset: index, as: Words.self))
                index &+= 16
            }
            // The last bytes, some of them again.
            found |= signs(source.loadUnaligned(fromByteOffset: count &- 16, as: Words.self))
        } else if count >= 8 {
            let end = source.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            found = signs(Words(source.loadUnaligned(as: UInt64.self), end))
        } else {
            let end = source.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            found = signs(Words(repeating: UInt64(source.loadUnaligned(as: UInt32.self)) << 32 | UInt64(end)))
        }
        return found[0] | found[1] != 0
    }

    /// Two words of eight bytes, which the machine looks at together.
    private typealias Words = SIMD2<UInt64>

    @inline(__always)
    private static func each(_ byte: UInt8) -> Words { Words(repeating: 0x0101_0101_0101_0101 &* UInt64(byte)) }

    /// Not zero when a word has a byte without which no pattern matches (`@ J + : = %`), the middle of `bearer` or `basic`,
    /// or nothing but digits, spaces and dashes, as every number of 15 characters has somewhere. May err on the side of
    /// caution.
    @inline(__always)
    private static func signs(_ words: Words) -> Words {
        // A byte that was equal is zero, and takes its highest bit from the subtraction. `+` and `:` differ in two bits.
        let ones = each(1)
        var found = (words ^ each(0x40)) &- ones
        found |= (words ^ each(0x4A)) &- ones
        found |= (words ^ each(0x3D)) &- ones
        found |= (words ^ each(0x25)) &- ones
        found |= ((words | each(0x11)) ^ each(0x3B)) &- ones
        found |= schemes(words) &- ones
        // Digits, spaces and dashes lie between 0x20 and 0x3F: nothing else is left of a word that has only such.
        let rest = (words & each(0xE0)) ^ each(0x20)
        let numbers = (rest &- Words(repeating: 1)) & ~rest & Words(repeating: 1 << 63)
        return found & ~words & each(0x80) | numbers
    }

    /// A zero byte at the third or fourth letter of `basic` and `bearer`, in any case. Four letters are looked at (`asic`,
    /// `arer`, and a few more that no bit tells from them) as far as they are in this word: those in its neighbours count
    /// as found, so that a name that was split is never missed.
    @inline(__always)
    private static func schemes(_ words: Words) -> Words {
        let lower = words | each(0x20)
        let before = (lower &<< Words(repeating: 8)) ^ (each(0x61) &- Words(repeating: 0x61))
        let letter = (lower | each(1)) ^ each(0x73)
        let next = ((lower &>> Words(repeating: 8)) | each(0x0C)) ^ (each(0x6D) &- Words(repeating: 0x61 << 56))
        let last = ((lower &>> Words(repeating: 16)) | each(0x11)) ^ (each(0x73) &- Words(repeating: 0x6262 << 48))
        return before | letter | next | last
    }
}
