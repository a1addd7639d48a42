/// Hides what looks like a secret or a person in free text: bearer and basic credentials, JSON web tokens, card numbers,
/// e-mail addresses, international telephone numbers, passwords in URLs and in `password=…`.
///
/// A net under the rule that messages hold no such thing, not a replacement for it. A look at whole words tells at once
/// that there is nothing, as in nearly every line.
package enum PatternRedaction {
    /// What may hold a secret is looked at up to here; the line keeps less.
    private static let maxBytes = LogLineLayout.maxMessageBytes + 1_024

    /// The text without secrets; the same text when there are none.
    package static func redacted(_ text: String) -> String {
        var cleaned: [UInt8]?
        var text = text
        text.withUTF8 { bytes in
            let bytes = UnsafeBufferPointer(rebasing: bytes.prefix(maxBytes))
            if isSuspicious(bytes) { cleaned = SecretFinder.redacted(bytes) }
        }
        return cleaned.map { String(decoding: $0, as: UTF8.self) } ?? text
    }

    /// The fields with their texts redacted.
    static func redacted(_ fields: borrowing Swift.Span<Attribute>) -> [Attribute] {
        var result: [Attribute] = []
        result.reserveCapacity(fields.count)
        for index in 0..<fields.count {
            let field = fields[index]
            switch field.value {
            case .string(let text) where !field.key.traits.contains(.structured):
                result.append(Attribute(field.key, .string(redacted(text))))
            case .strings(let texts):
                result.append(Attribute(field.key, .strings(texts.map(redacted))))
            default: result.append(field)
            }
        }
        return result
    }

    /// Whether any text of a line deserves a second look.
    @inline(__always)
    static func isSuspicious(_ message: String, _ fields: borrowing Swift.Span<Attribute>) -> Bool {
        if isSuspicious(message) { return true }
        for index in 0..<fields.count where !fields[index].key.traits.contains(.structured) {
            switch fields[index].value {
            case .string(let text): if isSuspicious(text) { return true }
            case .strings(let texts): if texts.contains(where: { isSuspicious($0) }) { return true }
            default: break
            }
        }
        return false
    }

    @inline(__always)
    static func isSuspicious(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { isSuspicious($0) } ?? true
    }

    /// Whether there is a byte without which no pattern matches, or a word of digits: `@ B J + =`, or six digits
    /// among eight bytes.
    static func isSuspicious(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        // The shortest that counts is an address such as a@b.co.
        guard let start = bytes.baseAddress, bytes.count >= 6 else { return false }
        let source = UnsafeRawPointer(start)
        let end = min(bytes.count, maxBytes)
        var index = 0
        while end &- index >= 8 {
            if isSuspicious(source.loadUnaligned(fromByteOffset: index, as: UInt64.self)) { return true }
            index &+= 8
        }
        guard index < end else { return false }
        if end >= 8 { return isSuspicious(source.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)) }
        var rest: UInt64 = 0
        while index < end {
            rest = rest << 8 | UInt64(bytes[index])
            index &+= 1
        }
        return isSuspicious(rest)
    }

    /// May say yes to a word that has no such byte, never no to one that has.
    @inline(__always)
    private static func isSuspicious(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones &* 0x80
        let found =
            zeros(word ^ (ones &* 0x40)) | zeros(word ^ (ones &* 0x42)) | zeros(word ^ (ones &* 0x4A))
            | zeros(word ^ (ones &* 0x2B)) | zeros(word ^ (ones &* 0x3D))
        let digits = word ^ (ones &* 0x30)
        let others = (((digits & ~highs) &+ ones &* 0x76) | digits) & highs
        return found & highs != 0 || others.nonzeroBitCount <= 2
    }

    /// The highest bit of a byte that is zero is set.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 { (word &- 0x0101_0101_0101_0101) & ~word }
}
