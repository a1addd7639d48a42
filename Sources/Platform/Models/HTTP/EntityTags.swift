internal import HTTPCodec
internal import ServiceKit

/// The value of `If-Match` or `If-None-Match` (RFC 9110, section 13.1): `*`, or entity tags with commas between them.
struct EntityTags: Sendable, Hashable {
    struct Tag: Sendable, Hashable {
        let isWeak: Bool
        /// With its quotes.
        let text: String
    }

    /// Nil for `*`, which every row matches.
    let tags: [Tag]?

    /// The tags of a request's header; nil when it has none.
    /// - Throws: `HTTPError` 400 for anything else than tags: whoever sends a condition wants it heeded.
    init?(_ request: Request, _ name: String) throws {
        guard let text = request.header(name) else { return nil }
        guard let tags = EntityTags(text) else {
            throw HTTPError(.badRequest, "header.malformed", "\(name) must be * or entity tags such as \"abc\"")
        }
        self = tags
    }

    /// Nil for malformed text.
    init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        Self.skipSpace(&rest)
        if rest.elementsEqual([UInt8(ascii: "*")]) {
            tags = nil
            return
        }
        var tags: [Tag] = []
        while true {
            guard let tag = Self.tag(&rest) else { return nil }
            tags.append(tag)
            Self.skipSpace(&rest)
            if rest.isEmpty { break }
            guard rest.removeFirst() == UInt8(ascii: ",") else { return nil }
            Self.skipSpace(&rest)
        }
        self.tags = tags
    }

    private static func skipSpace(_ text: inout ArraySlice<UInt8>) {
        while text.first == UInt8(ascii: " ") || text.first == UInt8(ascii: "\t") { text.removeFirst() }
    }

    private static func tag(_ text: inout ArraySlice<UInt8>) -> Tag? {
        let isWeak = text.starts(with: "W/".utf8)
        if isWeak { text.removeFirst(2) }
        guard text.first == UInt8(ascii: "\"") else { return nil }
        guard let end = text.dropFirst().firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        let tag = text[text.startIndex...end]
        guard tag.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        text = text[(end + 1)...]
        return Tag(isWeak: isWeak, text: String(decoding: tag, as: UTF8.self))
    }

    /// Whether a tag is among them; weak ones never are.
    func contains(strongly tag: String) -> Bool { tags?.contains { !$0.isWeak && $0.text == tag } ?? true }

    /// Whether a tag is among them, weak ones too.
    func contains(weakly tag: String) -> Bool { tags?.contains { $0.text == tag } ?? true }
}
