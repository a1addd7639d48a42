/// One name in every spelling that the tree uses: `asset_category`, `AssetCategory`, `assetCategory`,
/// `asset-categories`.
package struct Name: Sendable, Hashable {
    /// Lower case, apart: `["asset", "category"]`.
    let words: [String]

    /// Reads `asset_category`, `asset-category` or `AssetCategory`.
    /// - Throws: `ScaffoldError` for anything but letters and digits of ASCII that begin with a letter.
    package init(_ text: String, of what: String) throws(ScaffoldError) {
        var words: [String] = [""]
        for character in text.unicodeScalars {
            switch character {
            case "a"..."z", "0"..."9": words[words.count - 1].unicodeScalars.append(character)
            case "A"..."Z": words.append(String(character).lowercased())
            case "-", "_": words.append("")
            default:
                throw ScaffoldError("'\(text)' is no name of a \(what): letters, digits, '-' and '_' make one")
            }
        }
        words.removeAll(where: \.isEmpty)
        guard let first = words.first?.unicodeScalars.first, ("a"..."z").contains(first), text.utf8.count <= 40 else {
            throw ScaffoldError("'\(text)' is no name of a \(what): begin with a letter, and use at most 40")
        }
        self.words = words
    }

    private init(words: [String]) { self.words = words }

    /// `asset_category`
    var snake: String { words.joined(separator: "_") }
    /// `asset-category`
    var kebab: String { words.joined(separator: "-") }
    /// `asset category`
    var spoken: String { words.joined(separator: " ") }
    /// `AssetCategory`
    var type: String { words.map { $0 == "id" ? "ID" : $0.prefix(1).uppercased() + $0.dropFirst() }.joined() }
    /// `assetCategory`, `supplierID`
    var property: String { words[0] + (Name(words: Array(words.dropFirst())).type) }

    /// Of more than one, as English mostly has it; a table can be renamed by hand where it has not.
    var plural: Name {
        guard let last = words.last else { return self }
        let ending: String
        if last.hasSuffix("y"), let before = last.dropLast().last, !"aeiou".contains(before) {
            ending = last.dropLast() + "ies"
        } else if last.hasSuffix("s") || last.hasSuffix("x") || last.hasSuffix("ch") || last.hasSuffix("sh") {
            ending = last + "es"
        } else {
            ending = last + "s"
        }
        return Name(words: words.dropLast() + [ending])
    }

    /// Of one, when the name is of many: `assets` is `asset`.
    package var singular: Name {
        guard let last = words.last, last.count > 2 else { return self }
        let ending: String
        if last.hasSuffix("ies") {
            ending = last.dropLast(3) + "y"
        } else if ["sses", "xes", "ches", "shes"].contains(where: last.hasSuffix) {
            ending = String(last.dropLast(2))
        } else if last.hasSuffix("s"), !last.hasSuffix("ss") {
            ending = String(last.dropLast())
        } else {
            ending = last
        }
        return Name(words: words.dropLast() + [ending])
    }

    /// Of a service's tests: `AssetsTests`.
    package var testTarget: String { type + "Tests" }

    /// `an asset`
    var withArticle: String { (spoken.first.map { "aeiou".contains($0) } == true ? "an " : "a ") + spoken }

    /// As a case of an enum.
    var asCase: String { isReserved ? "`\(property)`" : property }

    /// Whether Swift has the word for itself.
    var isReserved: Bool { Self.keywords.contains(property) }

    /// What every model has.
    static let baseProperties: Set<String> = [
        "id", "lsn", "createdAt", "updatedAt", "vars", "companyID", "base", "schema",
    ]

    private static let keywords: Set<String> = [
        "init", "self", "class", "struct", "enum", "func", "var", "let", "in", "is", "as", "for", "if", "else", "while",
        "switch", "case", "default", "return", "throw", "throws", "try", "true", "false", "nil", "public", "private",
        "internal", "static", "where", "import", "protocol", "extension", "operator", "repeat", "break", "continue",
        "defer", "do", "guard", "super", "subscript", "associatedtype", "typealias", "inout", "rethrows", "catch",
        "fallthrough", "any",
    ]
}
