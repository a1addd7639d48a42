/// What the escapes of a JSON string mean (RFC 8259, section 7).
package enum JSONEscapes {
    /// The string as UTF-8. Text that nobody has validated does no harm: what is no escape stands for itself, and a unit
    /// that is no character becomes U+FFFD.
    /// - Parameter text: what stands between the quotes.
    package static func resolve(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == UInt8(ascii: "\\"), index + 1 < text.endIndex else {
                result.append(text[index])
                index += 1
                continue
            }
            let letter = text[index + 1]
            index += 2
            switch letter {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = unit(text, &index)
                if (0xD800...0xDBFF).contains(scalar), index + 1 < text.endIndex, text[index] == UInt8(ascii: "\\") {
                    index += 2
                    scalar = 0x10000 &+ (scalar &- 0xD800) << 10 &+ (unit(text, &index) &- 0xDC00)
                }
                result += Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
            default: result.append(letter)
            }
        }
        return result
    }

    private static func unit(_ text: ArraySlice<UInt8>, _ index: inout Int) -> UInt32 {
        let end = min(index + 4, text.endIndex)
        defer { index = end }
        return UInt32(String(decoding: text[index..<end], as: UTF8.self), radix: 16) ?? 0xFFFD
    }
}
