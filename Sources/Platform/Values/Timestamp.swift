/// An instant in UTC, in microseconds since 1970, as PostgreSQL's `timestamptz` keeps it; RFC 3339 outside.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let microseconds: Int64
    package init(microseconds: Int64) { self.microseconds = microseconds }
    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
    /// The wall clock.
    package static func now() -> Timestamp { fatalError("skeleton") }
    package func adding(seconds: Int) -> Timestamp { Timestamp(microseconds: microseconds + Int64(seconds) * 1_000_000) }
    /// Reads RFC 3339 and PostgreSQL's `2024-01-31 10:20:30.123+00`.
    package init?(_ text: String) { fatalError("skeleton") }
    /// `2024-01-31T10:20:30.123456Z`
    package var description: String { fatalError("skeleton") }
}
