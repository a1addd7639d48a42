/// YAML 1.2 in block style. A string stands bare only where no reader could take it for anything else.
extension Document {
    /// The document as a YAML file below a comment.
    package func yaml(comment: String) -> String {
        let head = comment.split(separator: "\n").map { "# \($0)\n" }.joined()
        return head + lines.map { $0 + "\n" }.joined()
    }

    private var lines: [String] {
        switch self {
        case .object(let members) where !members.isEmpty: members.flatMap { Self.lines(of: $0) }
        case .array(let elements) where !elements.isEmpty: elements.flatMap { Self.lines(ofElement: $0) }
        default: [inline]
        }
    }

    private static func lines(of member: Member) -> [String] {
        let name = scalar(member.name)
        guard member.value.isBlock else { return ["\(name): \(member.value.inline)"] }
        return ["\(name):"] + member.value.lines.map { "  " + $0 }
    }

    private static func lines(ofElement element: Document) -> [String] {
        guard element.isBlock else { return ["- \(element.inline)"] }
        return element.lines.enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element }
    }

    private var isBlock: Bool {
        switch self {
        case .object(let members): !members.isEmpty
        case .array(let elements): !elements.isEmpty
        default: false
        }
    }

    private var inline: String {
        switch self {
        case .string(let text): Self.scalar(text)
        default: compactJSON
        }
    }

    private static func scalar(_ text: String) -> String { isPlain(text) ? text : quoted(text) }

    /// Words that YAML readers take for something else.
    private static let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "~"]

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, !words.contains(text.lowercased()) else { return false }
        guard ("a"..."z").contains(first) || ("A"..."Z").contains(first) || first == "_" || first == "/" else {
            return false
        }
        return text.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
                || "_-./".unicodeScalars.contains($0)
        }
    }
}
