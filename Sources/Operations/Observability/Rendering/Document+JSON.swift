/// JSON (RFC 8259), two spaces deeper at each level, with a line feed at the end.
extension Document {
    /// The document as a JSON file.
    package var json: String {
        var text = ""
        writeJSON(to: &text, depth: 0)
        return text + "\n"
    }

    /// The document as JSON in one line.
    package var compactJSON: String {
        switch self {
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.name)):\($0.value.compactJSON)" }.joined(separator: ",") + "}"
        case .array(let elements): "[" + elements.map(\.compactJSON).joined(separator: ",") + "]"
        default: scalarText
        }
    }

    private func writeJSON(to text: inout String, depth: Int) {
        let inner = String(repeating: "  ", count: depth + 1)
        let outer = String(repeating: "  ", count: depth)
        switch self {
        case .object(let members):
            if members.isEmpty { return text += "{}" }
            text += "{\n"
            for (index, member) in members.enumerated() {
                text += inner + Self.quoted(member.name) + ": "
                member.value.writeJSON(to: &text, depth: depth + 1)
                text += index + 1 < members.count ? ",\n" : "\n"
            }
            text += outer + "}"
        case .array(let elements):
            if elements.isEmpty { return text += "[]" }
            text += "[\n"
            for (index, element) in elements.enumerated() {
                text += inner
                element.writeJSON(to: &text, depth: depth + 1)
                text += index + 1 < elements.count ? ",\n" : "\n"
            }
            text += outer + "]"
        default: text += scalarText
        }
    }

    private var scalarText: String {
        switch self {
        case .string(let value): Self.quoted(value)
        case .int(let value): "\(value)"
        case .number(let value): Self.text(of: value)
        case .bool(let value): value ? "true" : "false"
        case .null, .object, .array: "null"
        }
    }

    /// A finite number without a needless fraction.
    static func text(of value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
    }

    /// A JSON string, which is a YAML double-quoted string too.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
