internal import ServiceKit
package import PostgreSQL
package import Telemetry
package import Values

/// What a whole number may be.
package struct IntegerRule: Sendable, Hashable {
    let range: ClosedRange<Int>
    /// ±(2⁵³ − 1): what a reader with binary floats still gets exactly (RFC 8259, section 6).
    static let exact = -9_007_199_254_740_991...9_007_199_254_740_991
    package static func range(_ range: ClosedRange<Int>) -> IntegerRule {
        IntegerRule(range: range.clamped(to: exact))
    }
}

extension Int: FieldValue {
    package static var openRule: IntegerRule { IntegerRule(range: IntegerRule.exact) }

    package static func facts(_ rule: IntegerRule) -> FieldFacts {
        FieldFacts(
            sqlType: "bigint", check: "{} BETWEEN \(rule.range.lowerBound) AND \(rule.range.upperBound)",
            operators: FilterOperator.ordered,
            schema: [
                "type": "integer", "minimum": .integer(rule.range.lowerBound),
                "maximum": .integer(rule.range.upperBound),
            ],
            filterSchema: [
                "type": "integer", "minimum": .integer(IntegerRule.exact.lowerBound),
                "maximum": .integer(IntegerRule.exact.upperBound),
            ])
    }

    package static func read(column: UnsafeRawBufferPointer?) -> Int? {
        guard let column, !column.isEmpty else { return nil }
        var value = 0
        var index = column[0] == UInt8(ascii: "-") ? 1 : 0
        guard index < column.count else { return nil }
        while index < column.count {
            guard (0x30...0x39).contains(column[index]) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = product &- Int(column[index] &- 0x30)
            index += 1
        }
        return column[0] == UInt8(ascii: "-") ? value : 0 &- value
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(description) }

    package static func read(json: JSONInput, _ rule: IntegerRule) throws(FieldProblem) -> Int {
        guard json.node.kind == .number else { throw notANumber }
        // 5.0 and 5e0 are the integer 5 (JSON Schema, section 4.2.3 of the core).
        guard let number = ExactNumber(json.node.text) else { throw notANumber }
        guard let value = number.scaled(by: 0) else {
            if number.scale > 0 { throw notANumber }
            throw number.isNegative ? rule.below : rule.above
        }
        try Int(value).check(rule)
        return Int(value)
    }
    package func write(to buffer: inout ByteBuffer) { buffer.appendDecimal(self) }

    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        guard let number = ExactNumber(text)?.scaled(by: 0) else { throw notANumber }
        try Int(number).check(openRule)
        return PostgreSQLParameter(number.description)
    }

    package func check(_ rule: IntegerRule) throws(FieldProblem) {
        if self < rule.range.lowerBound { throw rule.below }
        if self > rule.range.upperBound { throw rule.above }
    }

    private static var notANumber: FieldProblem {
        FieldProblem("Input should be a valid integer", type: "int_parsing")
    }
}

extension IntegerRule {
    var below: FieldProblem {
        FieldProblem("Input should be greater than or equal to \(range.lowerBound)", type: "greater_than_equal")
    }
    var above: FieldProblem {
        FieldProblem("Input should be less than or equal to \(range.upperBound)", type: "less_than_equal")
    }
}

/// What an amount of money may be.
package struct MoneyRule: Sendable, Hashable {
    let range: ClosedRange<Money>
    package static func amount(_ range: ClosedRange<Money>) -> MoneyRule { MoneyRule(range: range) }
    /// Nothing below zero.
    package static let notNegative = MoneyRule(range: .zero ... .maximum)
}

extension Money: FieldValue {
    package static var openRule: MoneyRule {
        MoneyRule(range: Money(cents: -Money.maximum.cents)...Money.maximum)
    }

    package static func facts(_ rule: MoneyRule) -> FieldFacts {
        func schema(_ range: ClosedRange<Money>) -> JSONTree {
            [
                "type": "number", "minimum": .number(range.lowerBound.description),
                "maximum": .number(range.upperBound.description), "multipleOf": .number("0.01"),
            ]
        }
        return FieldFacts(
            sqlType: "numeric(18,2)", check: "{} BETWEEN \(rule.range.lowerBound) AND \(rule.range.upperBound)",
            operators: FilterOperator.ordered, schema: schema(rule.range), filterSchema: schema(openRule.range))
    }

    package static func read(column: UnsafeRawBufferPointer?) -> Money? {
        guard let column else { return nil }
        return Money(String(decoding: column, as: UTF8.self))
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(description) }

    package static func read(json: JSONInput, _ rule: MoneyRule) throws(FieldProblem) -> Money {
        guard json.node.kind == .number else { throw notAnAmount }
        let money = try parse(json.node.text)
        try money.check(rule)
        return money
    }
    package func write(to buffer: inout ByteBuffer) { buffer.append(description) }

    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        try parse(text).parameter
    }

    package func check(_ rule: MoneyRule) throws(FieldProblem) {
        if self < rule.range.lowerBound {
            throw FieldProblem(
                "Input should be greater than or equal to \(rule.range.lowerBound)", type: "greater_than_equal")
        }
        if self > rule.range.upperBound {
            throw FieldProblem(
                "Input should be less than or equal to \(rule.range.upperBound)", type: "less_than_equal")
        }
    }

    private static func parse(_ text: String) throws(FieldProblem) -> Money {
        guard let number = ExactNumber(text) else { throw notAnAmount }
        if number.scale > 2 {
            throw FieldProblem("Input should have at most 2 decimals", type: "decimal_max_places")
        }
        guard let cents = number.scaled(by: 2), cents.magnitude <= Money.maximum.cents.magnitude else {
            throw FieldProblem("Input should be within ±\(Money.maximum)", type: "less_than_equal")
        }
        return Money(cents: cents)
    }

    private static var notAnAmount: FieldProblem {
        FieldProblem("Input should be a valid amount such as 12.50", type: "decimal_parsing")
    }
}
