/// How the codec looks at bytes: through `Span`, whose every access is checked against its bounds in release builds
/// too, so that no input can make the parser read what was not received.
extension Span where Element == UInt8 {
    /// Eight bytes, the first in the lowest bits.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        // Checked: `unsafe` in its name speaks of types, and any eight bytes are a `UInt64`.
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// The first byte from `start` that no field value may hold (RFC 9110, section 5.5): below 0x20 except the tab,
    /// or 0x7F; `end` when there is none.
    @inline(__always)
    func indexOfControl(from start: Int, to end: Int) -> Int {
        var index = start
        while index &+ 8 <= end {
            let word = word(at: index)
            // A byte's top bit is set where the byte is below 0x20, or is 0x7F. Borrows run upwards only, so the
            // lowest bit that is set is always right.
            let below = (word &- 0x2020_2020_2020_2020) & ~word
            let flipped = word ^ 0x7f7f_7f7f_7f7f_7f7f
            let delete = (flipped &- 0x0101_0101_0101_0101) & ~flipped
            let found = (below | delete) & 0x8080_8080_8080_8080
            if found == 0 {
                index &+= 8
                continue
            }
            index &+= found.trailingZeroBitCount &>> 3
            if self[index] != 0x09 { return index }
            index &+= 1
        }
        while index < end, ByteClass.isFieldValue(self[index]) { index &+= 1 }
        return index
    }

    /// Whether every byte may stand in a token (RFC 9110, section 5.6.2).
    @inline(__always)
    var isToken: Bool {
        withUnsafeBufferPointer { bytes in
            for byte in bytes where !ByteClass.token.contains(byte) { return false }
            return true
        }
    }

    /// Whether the bytes from `start` are exactly these; false when there are fewer.
    @inline(__always)
    func matches(_ text: StaticString, at start: Int) -> Bool {
        guard start &+ text.utf8CodeUnitCount <= count else { return false }
        // Safety: a static string's bytes are immortal, and `offset` stays below their count.
        let wanted = text.utf8Start
        for offset in 0..<text.utf8CodeUnitCount where self[start &+ offset] != wanted[offset] { return false }
        return true
    }

    /// Whether the range holds `text`, letters in either case.
    /// - Parameter text: lower-case letters, digits and hyphens.
    @inline(__always)
    func equals(_ text: StaticString, _ range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        // Safety: as in `matches`.
        let wanted = text.utf8Start
        for offset in 0..<range.count where ByteClass.lower(self[range.lowerBound &+ offset]) != wanted[offset] {
            return false
        }
        return true
    }

    /// The range without the spaces and tabs at its ends.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, ByteClass.isBlank(self[lower]) { lower &+= 1 }
        while upper > lower, ByteClass.isBlank(self[upper &- 1]) { upper &-= 1 }
        return lower..<upper
    }

    /// The range as text; what is not UTF-8 is replaced.
    @inline(__always)
    func text(_ range: Range<Int>) -> String {
        extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
