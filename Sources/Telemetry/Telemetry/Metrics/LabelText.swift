/// Label sets as the exposition formats write them, without braces.
package enum LabelText {
    /// Bytes of one label value that are kept: a value from outside cannot blow up a scrape, nor the memory.
    package static let maxValueBytes = 256

    /// `a="x",b="y"` with backslash, quote and line feed escaped (Prometheus text 0.0.4; the same in OpenMetrics).
    package static func encode(names: [String], values: LabelValues) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 64)
        for index in 0..<min(names.count, values.count) {
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            buffer.append(names[index])
            buffer.append("=\"" as StaticString)
            appendEscaped(values[index], to: &buffer)
            buffer.append(UInt8(ascii: "\""))
        }
        return buffer.array()
    }

    /// Calls `body` with the name and the value, without escapes, of each label of a text that `encode` has made.
    package static func forEach(
        in text: [UInt8], _ body: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void
    ) {
        var rest = text[...]
        while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
            let name = rest[..<equals]
            rest = rest[equals...].dropFirst(2)
            var end = rest.startIndex
            var isEscaped = false
            while end < rest.endIndex, rest[end] != UInt8(ascii: "\"") {
                if rest[end] == UInt8(ascii: "\\") {
                    isEscaped = true
                    end += 1
                }
                end += 1
            }
            guard end < rest.endIndex else { return }
            body(name, isEscaped ? unescaped(rest[..<end])[...] : rest[..<end])
            rest = rest[end...].dropFirst()
            if rest.first == UInt8(ascii: ",") { rest = rest.dropFirst() }
        }
    }

    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                result.append(byte)
                continue
            }
            result.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
        }
        return result
    }

    /// Appends a label value with its escapes.
    package static func appendEscaped(_ value: String, to buffer: inout ByteBuffer) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.append("\\\\" as StaticString)
            case UInt8(ascii: "\""): buffer.append("\\\"" as StaticString)
            case UInt8(ascii: "\n"): buffer.append("\\n" as StaticString)
            default: buffer.append(byte)
            }
        }
    }

    /// The values cut to `maxValueBytes`. Values that are cut to the same text are the same from then on: two series
    /// must never read alike.
    static func shortened(_ values: LabelValues) -> [String] { values.indices.map { shortened(values[$0]) } }

    /// The value cut to `maxValueBytes`, in whole characters of Unicode.
    static func shortened(_ value: String) -> String {
        guard value.utf8.count > maxValueBytes else { return value }
        var end = value.utf8.index(value.utf8.startIndex, offsetBy: maxValueBytes)
        // Not within a character: its other bytes are continuation bytes.
        while value.utf8[end] & 0xC0 == 0x80 { value.utf8.formIndex(before: &end) }
        return String(value[..<end])
    }
}
