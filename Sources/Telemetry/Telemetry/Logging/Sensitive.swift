/// A value that must never be seen: it has no text form but `[redacted]`, whether printed, interpolated, dumped or
/// reflected. Read `exposed` where the value itself is needed, and nowhere near a log.
package struct Sensitive<Value> {
    /// The value itself.
    package let exposed: Value
    package init(_ value: Value) { exposed = value }
}

/// What stands where something was hidden.
package enum Redaction {
    package static let text = "[redacted]"
}

extension Sensitive: Sendable where Value: Sendable {}
extension Sensitive: Equatable where Value: Equatable {}
extension Sensitive: Hashable where Value: Hashable {}

extension Sensitive: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { Redaction.text }
    package var debugDescription: String { Redaction.text }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension DefaultStringInterpolation {
    /// Refuses to compile, because warnings are errors: a text that names a secret is a mistake even while it only says
    /// `[redacted]`.
    @available(*, deprecated, message: "a Sensitive value has no place in a text: leave it out, or say what it was")
    package mutating func appendInterpolation(_ value: Sensitive<some Any>) { appendLiteral(Redaction.text) }
}
