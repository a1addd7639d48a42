internal import FoundationEssentials

/// An amount of money in the shop's currency: exact, two decimals, stored as `numeric(18,2)`, a JSON number outside.
package struct Money: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Hundredths of the unit.
    package let cents: Int64
    package init(cents: Int64) { self.cents = cents }
    package static let zero = Money(cents: 0)
    /// 999,999,999,999.99: far below what `numeric(18,2)` keeps, and of so few digits (14) that a JSON reader with
    /// binary floats still gets every cent.
    package static let maximum = Money(cents: 99_999_999_999_999)

    package static func < (a: Money, b: Money) -> Bool { a.cents < b.cents }

    /// The sum, or nil when it is beyond ±`maximum`.
    package func adding(_ other: Money) -> Money? {
        let (sum, overflow) = cents.addingReportingOverflow(other.cents)
        return overflow ? nil : Money(checked: sum)
    }

    /// The product, or nil when it is beyond ±`maximum`.
    package func multiplied(by count: Int) -> Money? {
        let (product, overflow) = cents.multipliedReportingOverflow(by: Int64(count))
        return overflow ? nil : Money(checked: product)
    }

    package static func + (a: Money, b: Money) -> Money { Money(cents: a.cents + b.cents) }
    package static func - (a: Money, b: Money) -> Money { Money(cents: a.cents - b.cents) }
    package static func += (a: inout Money, b: Money) { a = a + b }

    private init?(checked cents: Int64) {
        guard cents.magnitude <= Self.maximum.cents.magnitude else { return nil }
        self.cents = cents
    }

    /// Reads `12`, `12.5`, `-12.50`. Nil for more than two decimals, exponents, and what is beyond ±`maximum`.
    package init?(_ text: some StringProtocol) {
        var cents: Int64 = 0
        var digits = 0
        var decimals: Int?
        var isNegative = false
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x2D where index == 0: isNegative = true
            case 0x2E where decimals == nil && digits > 0: decimals = 0
            case 0x30...0x39:
                digits += 1
                if let count = decimals { decimals = count + 1 }
                guard digits <= 16, decimals ?? 0 <= 2 else { return nil }
                cents = cents * 10 + Int64(byte - 0x30)
            default: return nil
            }
        }
        guard digits > 0, decimals != 0 else { return nil }
        for _ in (decimals ?? 0)..<2 { cents *= 10 }
        self.init(checked: isNegative ? -cents : cents)
    }

    /// `12.50`
    package var description: String {
        let units = cents.magnitude / 100
        let rest = cents.magnitude % 100
        return (cents < 0 ? "-" : "") + "\(units)." + (rest < 10 ? "0\(rest)" : "\(rest)")
    }
}

extension Money: Codable {
    /// Reads a JSON number exactly: through decimal digits, never through a binary float.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let number = try container.decode(Decimal.self)
        guard let money = Money(number.description) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "an amount of money has at most two decimals")
        }
        self = money
    }

    /// Writes the shortest decimal, `12.5` for 12.50. Up to `maximum` an amount has at most 14 digits, and a double tells
    /// any two decimals of up to 15 digits apart: its shortest form is the amount itself, at an eighth of the cost of
    /// `Decimal`.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if cents.magnitude <= Self.maximum.cents.magnitude {
            try container.encode(Double(cents) / 100)
        } else {
            try container.encode(Decimal(cents) / 100)
        }
    }
}
