package import Telemetry

/// JSON as a tree, members in the order that they were written: for documents that are made once.
package indirect enum JSONTree: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// A number as its text, kept to the last digit.
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([Member])

    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: JSONTree

        package init(name: String, value: JSONTree) {
            self.name = name
            self.value = value
        }
    }

    /// The text in UTF-8.
    package var bytes: [UInt8] {
        var buffer = ByteBuffer(capacity: 4096)
        write(to: &buffer)
        return buffer.array()
    }

    /// The member of an object, or nil.
    package subscript(_ name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// An object with more members.
    package func adding(_ other: JSONTree) -> JSONTree {
        guard case .object(let mine) = self, case .object(let more) = other else { return self }
        return .object(mine.filter { member in !more.contains { $0.name == member.name } } + more)
    }

    /// Appends the text.
    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.append("null" as StaticString)
        case .bool(let value): buffer.append(value ? "true" : "false" as StaticString)
        case .integer(let value): buffer.appendDecimal(value)
        case .number(let text): buffer.append(text)
        case .string(let text): buffer.appendJSONString(text)
        case .array(let elements):
            buffer.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                element.write(to: &buffer)
            }
            buffer.append(UInt8(ascii: "]"))
        case .object(let members):
            buffer.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                buffer.appendJSONString(member.name)
                buffer.append(UInt8(ascii: ":"))
                member.value.write(to: &buffer)
            }
            buffer.append(UInt8(ascii: "}"))
        }
    }
}

extension JSONTree: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONTree)...) {
        self = .object(elements.map { Member(name: $0.0, value: $0.1) })
    }
}
