internal import Models

/// A field as it is asked for on the command line, `title:line,searchable`, and as it is written down.
package struct DraftField: Sendable {
    let name: Name
    let type: DraftType
    let isOptional: Bool
    /// In the order in which they were given.
    let traits: [FieldTrait]

    /// What may stand after the type, and its case of `FieldTrait`.
    static let traitNames: [(word: String, trait: FieldTrait, swift: String)] = [
        ("unique", .unique, ".unique"), ("searchable", .searchable, ".searchable"), ("indexed", .indexed, ".indexed"),
        ("defaulted", .defaulted, ".defaulted"), ("create-only", .createOnly, ".createOnly"),
        ("read-only", .readOnly, ".readOnly"), ("hidden", .hidden, ".hidden"), ("sensitive", .sensitive, ".sensitive"),
    ]

    /// Reads `name:type[?][,trait…]`.
    /// - Parameter table: of a model of the same service that is referred to; nil when there is no such model.
    package init(_ text: String, table: (Name) -> String?) throws(ScaffoldError) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else {
            throw ScaffoldError("'\(text)' is no field: write name:type, such as title:line,searchable")
        }
        name = try Name(String(parts[0]), of: "field")
        guard !Name.baseProperties.contains(name.property), !name.isReserved else {
            throw ScaffoldError("a field cannot be called '\(name.snake)': the word has a meaning of its own")
        }
        var words = parts[1].split(separator: ",").map(String.init)
        guard !words.isEmpty else { throw ScaffoldError("the field '\(name.snake)' has no type") }
        var type = words.removeFirst()
        isOptional = type.hasSuffix("?")
        if isOptional { type.removeLast() }
        self.type = try DraftType(type, field: name, table: table)
        var traits: [FieldTrait] = []
        for word in words {
            guard let known = Self.traitNames.first(where: { $0.word == word }) else {
                let all = Self.traitNames.map(\.word).joined(separator: ", ")
                throw ScaffoldError("'\(word)' of the field '\(name.snake)' is no trait (known: \(all))")
            }
            traits.append(known.trait)
        }
        if traits.contains(.searchable), !self.type.isText || traits.contains(.hidden) || traits.contains(.sensitive) {
            throw ScaffoldError(
                "the field '\(name.snake)' cannot be searched: only a text that is neither hidden nor sensitive can")
        }
        self.traits = traits
    }

    var column: TableColumn {
        TableColumn(name.snake, isOptional ? type.facts.orNothing : type.facts, Set(traits))
    }

    /// `package var title = ""`
    var property: String {
        isOptional
            ? "package var \(name.property): \(type.swift(name))?"
            : "package var \(name.property) = \(type.initial(name))"
    }

    /// `Field("title", \.title, .line(1...200), .searchable)`
    var declaration: String {
        let words = traits.compactMap { trait in Self.traitNames.first { $0.trait == trait }?.swift }
        let arguments = ["\"\(name.snake)\"", "\\.\(name.property)"] + (type.rule.map { [$0] } ?? []) + words
        return "Field(\(arguments.joined(separator: ", ")))"
    }

    /// Whether a client must send it.
    var isRequired: Bool { !isOptional && !traits.contains(.defaulted) && !traits.contains(.readOnly) }
}
