package import FoundationEssentials

extension PostgreSQLEncodable where Self: CustomStringConvertible {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(description) }
}

extension Int: PostgreSQLEncodable, PostgreSQLDecodable {
    package init?(postgreSQLText text: String) { self.init(text) }
}
extension Int32: PostgreSQLEncodable, PostgreSQLDecodable {
    package init?(postgreSQLText text: String) { self.init(text) }
}
extension Int64: PostgreSQLEncodable, PostgreSQLDecodable {
    package init?(postgreSQLText text: String) { self.init(text) }
}
extension Double: PostgreSQLEncodable, PostgreSQLDecodable {
    package init?(postgreSQLText text: String) { self.init(text) }
}

extension String: PostgreSQLEncodable, PostgreSQLDecodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(self) }
    package init?(postgreSQLText text: String) { self = text }
}

extension Bool: PostgreSQLEncodable, PostgreSQLDecodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(self ? "t" : "f") }
    package init?(postgreSQLText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension UUID: PostgreSQLEncodable, PostgreSQLDecodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(uuidString.lowercased()) }
    package init?(postgreSQLText text: String) { self.init(uuidString: text) }
}

extension Optional: PostgreSQLEncodable where Wrapped: PostgreSQLEncodable {
    package var postgreSQLParameter: PostgreSQLParameter { self?.postgreSQLParameter ?? PostgreSQLParameter(nil) }
}

/// Arrays in PostgreSQL's literal form, every element quoted; bytes as `bytea` in hexadecimal.
extension Array: PostgreSQLEncodable where Element: PostgreSQLEncodable {
    package var postgreSQLParameter: PostgreSQLParameter {
        let elements = map { element -> String in
            guard let text = element.postgreSQLParameter.text else { return "NULL" }
            var quoted = "\""
            for character in text.unicodeScalars {
                if character == "\"" || character == "\\" { quoted.unicodeScalars.append("\\") }
                quoted.unicodeScalars.append(character)
            }
            return quoted + "\""
        }
        return PostgreSQLParameter("{" + elements.joined(separator: ",") + "}")
    }
}

/// Raw bytes, a `bytea`.
package struct PostgreSQLBytes: PostgreSQLEncodable, PostgreSQLDecodable, Hashable, Sendable {
    package let bytes: [UInt8]
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var postgreSQLParameter: PostgreSQLParameter {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = Array("\\x".utf8)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return PostgreSQLParameter(String(decoding: text, as: UTF8.self))
    }

    package init?(postgreSQLText text: String) {
        guard text.hasPrefix("\\x"), text.utf8.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var rest = text.dropFirst(2)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self.bytes = bytes
    }
}
