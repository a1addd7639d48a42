internal import FoundationEssentials
package import Values

/// JSON Schema of what a type decodes, learnt from the type itself: it decodes from a decoder that answers with whatever
/// is asked for, and remembers what that was.
enum DecodedSchema {
    /// Traps for a type that refuses what it is given, or that contains itself: it must say what it is (`SchemaStating`).
    static func of<T: Decodable>(_ type: T.Type) -> JSONTree {
        do {
            return try Probe.learn(type, depth: 0).schema
        } catch {
            preconditionFailure("\(type) cannot be learnt from its decoding: make it SchemaStating (\(error))")
        }
    }
}

/// A type that states its own JSON Schema, because its decoding asks for more than a JSON type.
package protocol SchemaStating: Decodable {
    static var jsonSchema: JSONTree { get }
    /// Any value.
    static var anyValue: Self { get }
}

extension Money: SchemaStating {
    package static var jsonSchema: JSONTree {
        [
            "type": "number", "minimum": .number("-\(Money.maximum)"), "maximum": .number("\(Money.maximum)"),
            "multipleOf": .number("0.01"),
        ]
    }
    package static var anyValue: Money { .zero }
}

extension Timestamp: SchemaStating {
    package static var jsonSchema: JSONTree { ["type": "string", "format": "date-time"] }
    package static var anyValue: Timestamp { .now() }
}

/// A decoder that invents what it is asked for.
private final class Probe: Decoder {
    enum Found {
        case nothing
        case value(JSONTree)
        case object([(name: String, schema: JSONTree, isRequired: Bool)])
        case list(JSONTree)
    }

    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]
    let depth: Int
    var found = Found.nothing

    /// Types within each other.
    private static let maxDepth = 16

    struct TooDeep: Error {}
    /// Neither text, number nor flag.
    struct Unlearnable: Error {}

    init(depth: Int) { self.depth = depth }

    static func learn<T: Decodable>(_ type: T.Type, depth: Int) throws -> (schema: JSONTree, value: T) {
        guard depth < maxDepth else { throw TooDeep() }
        if let stating = type as? any SchemaStating.Type, let value = stating.anyValue as? T {
            return (stating.jsonSchema, value)
        }
        if let choice = type as? any (CaseIterable & RawRepresentable).Type, let known = cases(choice),
            let value = known.first as? T
        {
            return (known.schema, value)
        }
        let probe = Probe(depth: depth)
        let value = try T(from: probe)
        return (probe.schema, value)
    }

    /// An enumeration of strings.
    private static func cases<E: CaseIterable & RawRepresentable>(_ type: E.Type) -> (schema: JSONTree, first: E)? {
        let names = type.allCases.compactMap { $0.rawValue as? String }
        guard let first = type.allCases.first, names.count == type.allCases.count else { return nil }
        return (["type": "string", "enum": .array(names.map { .string($0) })], first)
    }

    private var schema: JSONTree {
        switch found {
        case .nothing: return [:]
        case .value(let schema): return schema
        case .list(let element): return ["type": "array", "items": element]
        case .object(let members):
            var schema: JSONTree = [
                "type": "object", "properties": .object(members.map { .init(name: $0.name, value: $0.schema) }),
            ]
            let required = members.filter(\.isRequired).map { JSONTree.string($0.name) }
            if !required.isEmpty { schema = schema.adding(["required": .array(required)]) }
            return schema
        }
    }

    func note(_ name: String, _ schema: JSONTree, isRequired: Bool) {
        guard case .object(var members) = found else { return }
        members.append((name, schema, isRequired))
        found = .object(members)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        if case .nothing = found { found = .object([]) }
        return KeyedDecodingContainer(Keyed(probe: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { Listed(probe: self) }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { Single(probe: self) }

    /// What stands for itself in JSON.
    static func plain<T>(_ type: T.Type) -> (schema: JSONTree, value: T)? {
        func known<V>(_ schema: JSONTree, _ value: V) -> (schema: JSONTree, value: T)? {
            (value as? T).map { (schema, $0) }
        }
        if type == String.self { return known(["type": "string"], "") }
        if type == Bool.self { return known(["type": "boolean"], false) }
        if type == Int.self { return known(["type": "integer"], 0) }
        if type == Int64.self { return known(["type": "integer"], Int64(0)) }
        if type == Double.self { return known(["type": "number"], 0.0) }
        if type == Decimal.self { return known(["type": "number"], Decimal(0)) }
        return nil
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> (schema: JSONTree, value: T) {
        if let known = Self.plain(type) { return known }
        return try Self.learn(type, depth: depth + 1)
    }

    struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let probe: Probe
        let codingPath: [any CodingKey] = []
        let allKeys: [Key] = []

        func contains(_ key: Key) -> Bool { true }
        func decodeNil(forKey key: Key) throws -> Bool { false }

        func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
            let (schema, value) = try probe.decode(type)
            probe.note(key.stringValue, schema, isRequired: true)
            return value
        }

        func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
            let (schema, value) = try probe.decode(type)
            probe.note(key.stringValue, schema.orNull, isRequired: false)
            return value
        }

        func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try plain(type, key) }
        func decode(_ type: String.Type, forKey key: Key) throws -> String { try plain(type, key) }
        func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try plain(type, key) }
        func decode(_ type: Float.Type, forKey key: Key) throws -> Float { throw Unlearnable() }
        func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try plain(type, key) }
        func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { throw Unlearnable() }
        func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { throw Unlearnable() }
        func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { throw Unlearnable() }
        func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try plain(type, key) }
        func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { throw Unlearnable() }
        func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { throw Unlearnable() }
        func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { throw Unlearnable() }
        func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { throw Unlearnable() }
        func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { throw Unlearnable() }
        func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try plain(type, key, false) }
        func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try plain(type, key, false) }
        func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try plain(type, key, false) }
        func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try plain(type, key, false) }
        func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { try plain(type, key, false) }

        private func plain<T>(_ type: T.Type, _ key: Key, _ isRequired: Bool = true) throws -> T {
            guard let (schema, value) = Probe.plain(type) else { throw Unlearnable() }
            probe.note(key.stringValue, isRequired ? schema : schema.orNull, isRequired: isRequired)
            return value
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw Unlearnable() }
        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw Unlearnable() }
        func superDecoder() throws -> any Decoder { probe }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw Unlearnable() }
    }

    /// A list of one.
    struct Listed: UnkeyedDecodingContainer {
        let probe: Probe
        let codingPath: [any CodingKey] = []
        let count: Int? = 1
        var currentIndex = 0
        var isAtEnd: Bool { currentIndex > 0 }

        mutating func decodeNil() throws -> Bool { false }
        mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
            let (schema, value) = try probe.decode(type)
            probe.found = .list(schema)
            currentIndex += 1
            return value
        }
        mutating func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type
        ) throws -> KeyedDecodingContainer<Nested> { throw Unlearnable() }
        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw Unlearnable() }
        mutating func superDecoder() throws -> any Decoder { throw Unlearnable() }
    }

    struct Single: SingleValueDecodingContainer {
        let probe: Probe
        let codingPath: [any CodingKey] = []

        func decodeNil() -> Bool { false }
        func decode<T: Decodable>(_ type: T.Type) throws -> T {
            let (schema, value) = try probe.decode(type)
            probe.found = .value(schema)
            return value
        }
    }
}

extension JSONTree {
    /// The schema, or null.
    fileprivate var orNull: JSONTree {
        switch self["type"] {
        case .string(let type)?:
            let nullable = adding(["type": [.string(type), "null"]])
            guard case .array(let values)? = self["enum"] else { return nullable }
            return nullable.adding(["enum": .array(values + [.null])])
        default: return ["anyOf": [self, ["type": "null"]]]
        }
    }
}
