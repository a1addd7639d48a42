/// The name of a span attribute or log field, declared once beside the code that emits it.
///
/// What the name implies (a secret, a reserved log key) is found out when the key is made, not for every line.
package struct AttributeKey: Sendable {
    package let name: String
    /// A hash of the name: two keys that differ in it need not be compared byte by byte.
    let fingerprint: UInt32
    let traits: Traits

    package init(_ name: String) {
        self.name = name
        // FNV-1a.
        fingerprint = name.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        traits = Traits(of: name)
    }

    /// Whether values under this name are hidden in logs and spans.
    package var isSensitive: Bool { traits.contains(.sensitive) }
}

extension AttributeKey: Hashable {
    package static func == (a: AttributeKey, b: AttributeKey) -> Bool {
        a.fingerprint == b.fingerprint && a.name == b.name
    }
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
