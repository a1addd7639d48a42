/// A file of the tree as lines, to which lines are added where the text says that they belong.
struct Edits {
    let path: String
    private var lines: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    var text: String { lines.joined(separator: "\n") }

    func contains(_ part: String) -> Bool { lines.contains { $0.contains(part) } }

    /// - Parameters:
    ///   - anchor: the first line that contains this, after the one that contains `start`.
    ///   - isAfter: whether the new lines stand after it or before it.
    /// - Throws: `ScaffoldError` with what to add by hand when the file has no such line.
    mutating func insert(
        _ new: String, at anchor: String, from start: String? = nil, isAfter: Bool = false
    ) throws(ScaffoldError) {
        let first = start.map { start in lines.firstIndex { $0.contains(start) } } ?? lines.startIndex
        guard let first,
            let index = lines[first...].dropFirst(start == nil ? 0 : 1).firstIndex(where: { $0.contains(anchor) })
        else {
            throw ScaffoldError(
                "\(path) has no line '\((start.map { "\($0) … " } ?? "") + anchor)', so nothing was written; it needs\n\(new)"
            )
        }
        lines.insert(
            contentsOf: new.split(separator: "\n", omittingEmptySubsequences: false), at: isAfter ? index + 1 : index)
    }

    /// Adds an element to a list of one line each; the format wants commas after all of them when there are several.
    mutating func append(_ new: String, toListAt start: String, endingAt end: String) throws(ScaffoldError) {
        try insert(new + ",", at: end, from: start)
        guard let first = lines.firstIndex(where: { $0.contains(start) }),
            let last = lines[first...].dropFirst().firstIndex(where: { $0.contains(end) }), last - first > 2
        else { return }
        if !lines[last - 2].hasSuffix(",") { lines[last - 2] += "," }
    }

    /// Adds an import where its name belongs among the others.
    mutating func insertImport(_ module: String) throws(ScaffoldError) {
        let line = "internal import \(module)"
        guard let last = lines.lastIndex(where: { $0.contains("import ") }) else {
            throw ScaffoldError("\(path) imports nothing; it needs\n\(line)")
        }
        let next = lines[...last].firstIndex { other in
            other.contains("import ") && (other.split(separator: " ").last ?? "") > module
        }
        lines.insert(line[...], at: next ?? last + 1)
    }
}
