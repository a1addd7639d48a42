/// The commands and files of a tutorial in Markdown, in their order.
struct Tutorial {
    enum Step {
        /// A line after `$`, and what is shown below it.
        case command(String, output: [String])
        /// A block of Swift below a line that ends with "`path` becomes:".
        case file(path: String, text: String)
    }

    private(set) var steps: [Step] = []

    init(_ markdown: String) {
        var fence = ""
        var path: String?
        var text: [Substring] = []
        var command: String?
        var output: [String] = []
        func finish(_ steps: inout [Step]) {
            if let command { steps.append(.command(command, output: output)) }
            command = nil
            output = []
        }
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                if fence == "```swift", let path {
                    steps.append(.file(path: path, text: text.joined(separator: "\n") + "\n"))
                }
                finish(&steps)
                text = []
                fence = fence.isEmpty ? String(line) : ""
            } else if fence == "```console" {
                if line.hasPrefix("$ ") {
                    finish(&steps)
                    command = String(line.dropFirst(2))
                } else {
                    output.append(String(line))
                }
            } else if fence == "```swift" {
                text.append(line)
            } else if !line.isEmpty {
                let parts = line.split(separator: "`")
                path = line.hasSuffix("` becomes:") && parts.count > 1 ? String(parts[parts.count - 2]) : nil
            }
        }
    }

    /// Whether a command printed what is shown: line by line, `…` for anything, and for any lines when it is all of one.
    static func matches(_ printed: String, _ shown: [String]) -> Bool {
        let lines = printed.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var rest = (lines.last == "" ? lines.dropLast() : lines[...])
        for (index, line) in shown.enumerated() {
            if line == "…" {
                guard index + 1 < shown.count else { return true }
                while let first = rest.first, !isLike(first, shown[index + 1]) { rest = rest.dropFirst() }
                continue
            }
            guard let first = rest.popFirst(), isLike(first, line) else { return false }
        }
        return rest.isEmpty
    }

    private static func isLike(_ line: String, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return line == pattern }
        guard line.hasPrefix(parts[0]), line.hasSuffix(parts[parts.count - 1]) else { return false }
        var rest = line.dropFirst(parts[0].count)
        for part in parts.dropFirst() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }
}
