internal import Telemetry
package import Values

// How a column's text becomes JSON without a value between. PostgreSQL writes most types as JSON wants them already, or
// nearly; what has another shape than expected goes through the value, which knows all of them.

extension ByteBuffer {
    fileprivate mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        append(base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    }

    fileprivate mutating func appendValue<V: FieldValue>(_ column: UnsafeRawBufferPointer, _ type: V.Type) -> Bool {
        guard let value = V.read(column: column) else { return false }
        value.write(to: &self)
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes from here to there are digits, and there are some.
    fileprivate func isDigits(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        for index in range where self[index] &- 0x30 > 9 { return false }
        return true
    }

    fileprivate var isNegative: Bool { !isEmpty && self[0] == UInt8(ascii: "-") }
}

extension Int {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column, column.isDigits(column.isNegative ? 1..<column.count : 0..<column.count) else {
                return false
            }
            buffer.append(column)
            return true
        }
    }
}

extension Money {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column else { return false }
            let point = column.count - 3
            // `12.50`, of no more digits than any amount has.
            guard point > 0, point <= 12, column[point] == UInt8(ascii: "."), column.isDigits(0..<point),
                column.isDigits(point + 1..<column.count)
            else { return buffer.appendValue(column, Money.self) }
            buffer.append(column)
            return true
        }
    }
}

extension Bool {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column, column.count == 1 else { return false }
            buffer.append(column[0] == UInt8(ascii: "t") ? "true" : "false" as StaticString)
            return true
        }
    }
}

extension String {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column else { return false }
            buffer.append(UInt8(ascii: "\""))
            column.withMemoryRebound(to: UInt8.self) { buffer.appendJSONEscaped($0) }
            buffer.append(UInt8(ascii: "\""))
            return true
        }
    }
}

extension Timestamp {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column else { return false }
            // `2024-01-31 10:20:30.123+00`, decimals only when there are some.
            let zone = column.count - 3
            guard (19...26).contains(zone), column[4] == UInt8(ascii: "-"), column[10] == UInt8(ascii: " "),
                column[zone] == UInt8(ascii: "+"), column[zone + 1] == 0x30, column[zone + 2] == 0x30,
                zone == 19 || column[19] == UInt8(ascii: ".")
            else { return buffer.appendValue(column, Timestamp.self) }
            buffer.append(UInt8(ascii: "\""))
            buffer.append(UnsafeRawBufferPointer(rebasing: column[0..<10]))
            buffer.append(UInt8(ascii: "T"))
            buffer.append(UnsafeRawBufferPointer(rebasing: column[11..<19]))
            buffer.append(UInt8(ascii: "."))
            if zone > 20 { buffer.append(UnsafeRawBufferPointer(rebasing: column[20..<zone])) }
            for _ in max(zone, 20)..<26 { buffer.append(0x30) }
            buffer.append("Z\"" as StaticString)
            return true
        }
    }
}

extension ID {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column, column.count == textBytes else { return false }
            buffer.append(UInt8(ascii: "\""))
            buffer.append(column)
            buffer.append(UInt8(ascii: "\""))
            return true
        }
    }
}

extension JSONObject {
    package static var columnWriter: ColumnWriter {
        { column, buffer in
            guard let column else { return false }
            buffer.append(column)
            return true
        }
    }
}

extension Choice {
    package static var columnWriter: ColumnWriter {
        let known = allCases.map { value in
            var json = ByteBuffer(capacity: 32)
            value.write(to: &json)
            return (name: Array(value.rawValue.utf8), json: json.array())
        }
        return { column, buffer in
            guard let column else { return false }
            for index in known.indices where column.elementsEqual(known[index].name) {
                buffer.append(known[index].json)
                return true
            }
            return false
        }
    }
}

extension Optional where Wrapped: FieldValue {
    package static var columnWriter: ColumnWriter {
        let wrapped = Wrapped.columnWriter
        return { column, buffer in
            guard column != nil else {
                buffer.append("null" as StaticString)
                return true
            }
            return wrapped(column, &buffer)
        }
    }
}
