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
