internal import FoundationEssentials

/// A key of Consul's store with its value.
package struct KeyValueEntry: Sendable, Hashable {
    package let key: String
    package let value: [UInt8]
    /// Grows with each change of the key: what `ifUnchangedSince` compares.
    package let modifyIndex: UInt64
    /// The caller's own number.
    package let flags: UInt64

    package init(key: String, value: [UInt8], modifyIndex: UInt64, flags: UInt64 = 0) {
        self.key = key
        self.value = value
        self.modifyIndex = modifyIndex
        self.flags = flags
    }

    /// The value as text; what is no UTF-8 is replaced.
    package var text: String { String(decoding: value, as: UTF8.self) }
}

extension KeyValueEntry: Decodable {
    private enum Key: String, CodingKey {
        case key = "Key"
        case value = "Value"
        case modifyIndex = "ModifyIndex"
        case flags = "Flags"
    }

    /// - Throws: `DecodingError` for what is not base64, too.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        key = try container.decode(String.self, forKey: .key)
        modifyIndex = try container.decode(UInt64.self, forKey: .modifyIndex)
        flags = try container.decodeIfPresent(UInt64.self, forKey: .flags) ?? 0
        // An empty value is null.
        let text = try container.decodeIfPresent(String.self, forKey: .value) ?? ""
        guard let data = Data(base64Encoded: text) else {
            throw DecodingError.dataCorruptedError(forKey: .value, in: container, debugDescription: "not base64")
        }
        value = Array(data)
    }
}

/// What became of a key below a prefix that is watched.
package enum KeyValueChange: Sendable, Hashable {
    /// It is there, with this value: new, or changed.
    case set(KeyValueEntry)
    case deleted(key: String)

    /// How one state of a prefix became another, in the order of keys.
    package static func between(_ old: [KeyValueEntry], _ new: [KeyValueEntry]) -> [KeyValueChange] {
        let before = Dictionary(old.map { ($0.key, $0) }) { $1 }
        let after = Set(new.map(\.key))
        let set = new.filter { before[$0.key] != $0 }.map { ($0.key, KeyValueChange.set($0)) }
        let gone = before.keys.filter { !after.contains($0) }.map { ($0, KeyValueChange.deleted(key: $0)) }
        return (set + gone).sorted { $0.0 < $1.0 }.map(\.1)
    }
}
