/// Label sets as the exposition formats write them, without braces.
package enum LabelText {
    /// Bytes of one label value that are kept: a value from outside cannot blow up a scrape.
    static let maxValueBytes = 1024

    /// `a="x",b="y"` with backslash, quote and line feed escaped (Prometheus text 0.0.4; the same in OpenMetrics).
    package static func encode(names: [String], values: [String]) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 64)
        for (index, (name, value)) in zip(names, values).enumerated() {
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            buffer.append(name)
            buffer.append("=\"" as StaticString)
            appendEscaped(value, to: &buffer)
            buffer.append(UInt8(ascii: "\""))
        }
        return buffer.array()
    }

    /// Appends a label value with its escapes.
    package static func appendEscaped(_ value: String, to buffer: inout ByteBuffer) {
        var left = maxValueBytes
        for scalar in value.unicodeScalars {
            let length = scalar.utf8.count
            if length > left { return }
            left -= length
            switch scalar {
            case "\\": buffer.append("\\\\" as StaticString)
            case "\"": buffer.append("\\\"" as StaticString)
            case "\n": buffer.append("\\n" as StaticString)
            default: for byte in scalar.utf8 { buffer.append(byte) }
            }
        }
    }
}
