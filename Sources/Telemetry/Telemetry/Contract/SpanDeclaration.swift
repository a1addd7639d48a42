/// A kind of span, declared beside the code that starts it.
package struct SpanDeclaration: Hashable, Sendable {
    /// The name; `{…}` stands for any text: `{method} {route}`, `job {job}`.
    package let name: String
    package let kind: SpanKind
    package let help: String
    /// What spans of this kind may carry; `error.type` is always allowed.
    package let attributes: [AttributeKey]

    package init(_ name: String, kind: SpanKind, help: String, attributes: [AttributeKey] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.attributes = attributes
    }

    /// Whether a span of this name and kind may be one of these.
    package func matches(_ name: String, kind: SpanKind) -> Bool {
        kind == self.kind && Self.matches(name[...], Self.parts(of: self.name)[...])
    }

    private enum Part: Equatable {
        case text(String)
        case anything
    }

    private static func parts(of pattern: String) -> [Part] {
        var parts: [Part] = []
        var rest = pattern[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            parts.append(.anything)
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        return parts
    }

    /// A placeholder stands for at least one character.
    private static func matches(_ name: Substring, _ parts: ArraySlice<Part>) -> Bool {
        guard let first = parts.first else { return name.isEmpty }
        switch first {
        case .text(let text):
            return name.hasPrefix(text) && matches(name.dropFirst(text.count), parts.dropFirst())
        case .anything:
            if parts.count == 1 { return !name.isEmpty }
            return name.indices.dropFirst().contains { matches(name[$0...], parts.dropFirst()) }
        }
    }
}
