/// An amount of money in the shop's currency: exact, two decimals, stored as `numeric(18,2)`, a JSON number outside.
package struct Money: Hashable, Comparable, Sendable {
    /// Hundredths of the unit. Range: ±9,999,999,999,999,999.99.
    package let cents: Int64
    package init(cents: Int64) { self.cents = cents }
    package static let zero = Money(cents: 0)

    package static func < (a: Money, b: Money) -> Bool { a.cents < b.cents }
    package static func + (a: Money, b: Money) -> Money { Money(cents: a.cents + b.cents) }
    package static func - (a: Money, b: Money) -> Money { Money(cents: a.cents - b.cents) }
    package static func * (a: Money, count: Int) -> Money { Money(cents: a.cents * Int64(count)) }

    /// Reads `12`, `12.5`, `-12.50`. Nil for more than two decimals, exponents, and what is out of range.
    package init?(_ text: some StringProtocol) { fatalError("skeleton") }
    /// `12.50`
    package var description: String { fatalError("skeleton") }
}
