/// A tree of values that is written as JSON or YAML, always in the order in which it was put together.
package indirect enum Document: Sendable, Equatable {
    case object([Member])
    case array([Document])
    case string(String)
    case int(Int)
    case number(Double)
    case bool(Bool)
    case null

    /// A name with its value.
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: Document
        package init(_ name: String, _ value: Document) {
            self.name = name
            self.value = value
        }
    }

    /// An object of these members without those that are nil.
    package static func object(_ members: [(String, Document?)]) -> Document {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    /// An array of strings.
    package static func strings(_ values: [String]) -> Document { .array(values.map(Document.string)) }

    /// The value of a member; nil for anything but an object that has it.
    package subscript(_ name: String) -> Document? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

extension Document: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: Document...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, Document)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}
