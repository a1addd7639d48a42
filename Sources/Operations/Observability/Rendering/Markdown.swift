/// The few forms of Markdown that rendered documents use.
enum Markdown {
    /// A table; bars in cells are escaped.
    static func table(_ head: [String], _ rows: [[String]]) -> String {
        var text = line(head) + line(head.map { _ in "---" })
        for row in rows { text += line(row) }
        return text
    }

    private static func line(_ cells: [String]) -> String {
        "|" + cells.map { " \(escaped($0)) |" }.joined() + "\n"
    }

    private static func escaped(_ cell: String) -> String {
        String(cell.flatMap { $0 == "|" ? ["\\", "|"] : $0 == "\n" ? [" "] : [$0] })
    }

    /// The anchor that renderers make of a heading.
    static func anchor(_ heading: String) -> String {
        String(heading.lowercased().compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" ? $0 : nil })
    }
}
