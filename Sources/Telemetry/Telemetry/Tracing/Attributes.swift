/// The name of a span attribute or log field, declared once beside the code that emits it.
///
/// What the name implies (a secret, a reserved log key) is found out once for each name, not for every line. Names live
/// for ever: to pass a key on counts no reference.
///
/// Safety (`@unchecked Sendable`): points to what is written before it is shared, and never freed.
package struct AttributeKey: @unchecked Sendable {
    let facts: UnsafePointer<AttributeKeyFacts>

    package init(_ name: String) { facts = AttributeKeyFacts.of(name) }

    package var name: String { facts.pointee.name }
    /// A hash of the name.
    var fingerprint: UInt32 { facts.pointee.fingerprint }
    var traits: Traits { facts.pointee.traits }

    /// Whether values under this name are hidden in logs and spans.
    package var isSensitive: Bool { traits.contains(.sensitive) }
}

extension AttributeKey: Hashable {
    package static func == (a: AttributeKey, b: AttributeKey) -> Bool { a.facts == b.facts }
    package func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }
}

/// The value of a span attribute or log field.
package enum AttributeValue: Hashable, Sendable {
    case string(String)
    case int(Int)
    case double(Double)
    case bool(Bool)
    case strings([String])
}

extension AttributeValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringInterpolation, ExpressibleByFloatLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
}

/// A name with its value, on a span, an event, a link or a log line.
package struct Attribute: Hashable, Sendable {
    package let key: AttributeKey
    package let value: AttributeValue
    package init(_ key: AttributeKey, _ value: AttributeValue) {
        self.key = key
        self.value = value
    }
}

/// Attributes of the OpenTelemetry semantic conventions that several targets set.
extension AttributeKey {
    package static let errorType = AttributeKey("error.type")
    package static let serverAddress = AttributeKey("server.address")
    package static let serverPort = AttributeKey("server.port")
}
