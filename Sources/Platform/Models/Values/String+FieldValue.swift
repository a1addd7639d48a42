internal import ServiceKit
package import PostgreSQL
package import Telemetry

/// What a text may be.
package struct TextRule: Sendable, Hashable {
    enum Form: Sendable, Hashable { case anything, line, code, email }

    let form: Form
    /// Characters (Unicode code points), as PostgreSQL and JSON Schema count.
    let length: ClosedRange<Int>

    static let maxLength = 10_000

    /// Any text of so many characters, line breaks and all.
    package static func text(_ length: ClosedRange<Int> = 0...maxLength) -> TextRule {
        TextRule(form: .anything, length: length)
    }
    /// One line: no control characters.
    package static func line(_ length: ClosedRange<Int>) -> TextRule { TextRule(form: .line, length: length) }
    /// 1 to 64 letters of ASCII, digits, `-`, `_` and `.`: article numbers, document numbers.
    package static let code = TextRule(form: .code, length: 1...64)
    /// An address of e-mail, as far as anybody can tell without sending one.
    package static let email = TextRule(form: .email, length: 3...254)

    /// As JSON Schema (ECMA 262) writes it; nil for any text.
    var pattern: String? {
        switch form {
        case .anything: nil
        case .line: #"^[^\u0000-\u001f\u007f]*$"#
        case .code: "^[A-Za-z0-9._-]+$"
        case .email: "^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*$"
        }
    }

    private var isMatching: (String) -> Bool {
        switch form {
        case .anything: { _ in true }
        case .line: { !$0.utf8.contains { $0 < 0x20 || $0 == 0x7F } }
        case .code: { $0.utf8.allSatisfy { Self.isAlphanumeric($0) || [0x2D, 0x2E, 0x5F].contains($0) } }
        case .email: Self.isEmail
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func isEmail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return false }
        let isLocal = parts[0].utf8.allSatisfy {
            isAlphanumeric($0) || [0x2E, 0x5F, 0x25, 0x2B, 0x2D].contains($0)
        }
        let isDomain = parts[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D }
        }
        return isLocal && isDomain
    }

    func check(_ text: String) throws(FieldProblem) {
        let count = text.unicodeScalars.count
        if count < length.lowerBound {
            throw FieldProblem("String should have at least \(length.lowerBound) characters", type: "string_too_short")
        }
        if count > length.upperBound {
            throw FieldProblem("String should have at most \(length.upperBound) characters", type: "string_too_long")
        }
        if text.utf8.contains(0) || !isMatching(text) {
            throw FieldProblem("String should match '\(pattern ?? "no U+0000")'", type: "string_pattern_mismatch")
        }
    }
}

extension String: FieldValue {
    package static var openRule: TextRule { .text() }

    package static func facts(_ rule: TextRule) -> FieldFacts {
        var schema: JSONTree = [
            "type": "string", "minLength": .integer(rule.length.lowerBound),
            "maxLength": .integer(rule.length.upperBound),
        ]
        if let pattern = rule.pattern { schema = schema.adding(["pattern": .string(pattern)]) }
        return FieldFacts(
            sqlType: "text",
            check: "char_length({}) BETWEEN \(rule.length.lowerBound) AND \(rule.length.upperBound)",
            operators: FilterOperator.ordered + [.like, .ilike], schema: schema,
            filterSchema: ["type": "string", "maxLength": .integer(ListQuery.maxFilterCharacters)])
    }

    package static func read(column: UnsafeRawBufferPointer?) -> String? {
        column.map { String(decoding: $0, as: UTF8.self) }
    }
    package var parameter: PostgreSQLParameter { PostgreSQLParameter(self) }

    package static func read(json: JSONInput, _ rule: TextRule) throws(FieldProblem) -> String {
        guard let text = json.node.string else {
            throw FieldProblem("Input should be a valid string", type: "string_type")
        }
        try rule.check(text)
        return text
    }
    package func write(to buffer: inout ByteBuffer) { buffer.appendJSONString(self) }

    package static func read(filter text: String) throws(FieldProblem) -> PostgreSQLParameter {
        PostgreSQLParameter(text)
    }
    package func check(_ rule: TextRule) throws(FieldProblem) { try rule.check(self) }
}
