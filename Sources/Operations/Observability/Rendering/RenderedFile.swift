/// A file that is made from declarations.
package struct RenderedFile: Sendable {
    /// From the root of the repository.
    package let path: String
    /// What is made; the whole file, or its head.
    package let content: String
    /// The line after which the file belongs to people: what they wrote below it is kept. Nil when all is made.
    package let bodyMark: String?
    /// What stands below the mark in a new file.
    package let firstBody: String

    package init(_ path: String, _ content: String, bodyMark: String? = nil, firstBody: String = "") {
        self.path = path
        self.content = content
        self.bodyMark = bodyMark
        self.firstBody = firstBody
    }

    /// The file as it should be, given what is there now.
    package func text(replacing existing: String?) -> String {
        guard let bodyMark else { return content }
        let body = existing.flatMap { Self.body(of: $0, below: bodyMark) } ?? firstBody
        return content + bodyMark + "\n" + body
    }

    private static func body(of text: String, below mark: String) -> String? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let index = lines.firstIndex(where: { $0 == mark }) else { return nil }
        return lines[(index + 1)...].joined(separator: "\n")
    }
}
