internal import FoundationEssentials
package import HTTPCodec

/// A whole answer.
package struct Reply: Sendable {
    package let status: Int
    package let headers: HTTPFields
    package let bytes: [UInt8]
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    /// The names of the members of the JSON object, or of the object that a member of it holds.
    package func keys(_ member: String? = nil) throws -> Set<String> {
        let object = try decode(Members.self)
        guard let member else { return Set(object.inner.keys) }
        return object.inner[member] ?? []
    }
}

/// An object's members, and theirs where they are objects.
private struct Members: Decodable {
    let inner: [String: Set<String>]

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        var inner: [String: Set<String>] = [:]
        for key in container.allKeys {
            let object = try? container.nestedContainer(keyedBy: Name.self, forKey: key)
            inner[key.stringValue] = Set(object?.allKeys.map(\.stringValue) ?? [])
        }
        self.inner = inner
    }
}
