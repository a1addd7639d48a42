/// W3C baggage: a small ordered set of name and value pairs, values decoded.
package struct Baggage: Hashable, Sendable {
    package private(set) var entries: [Entry]

    package struct Entry: Hashable, Sendable {
        package let key: String
        package let value: String
        /// The properties after the first semicolon as they were sent; empty without any.
        package let properties: String

        init(key: String, value: String, properties: String = "") {
            self.key = key
            self.value = value
            self.properties = properties
        }
    }

    package init() { entries = [] }
    init(entries: [Entry]) { self.entries = entries }

    /// The value of a key. Setting one replaces it, and takes its place at the end; nil removes it.
    package subscript(_ key: String) -> String? {
        get { entries.first { $0.key == key }?.value }
        set {
            entries.removeAll { $0.key == key }
            if let newValue { entries.append(Entry(key: key, value: newValue)) }
        }
    }

    package var isEmpty: Bool { entries.isEmpty }
}

/// The `baggage` header (W3C Baggage, section 3.3). A malformed member is left out, the others stay.
enum BaggageCodec {
    /// The limits of the standard, beyond which members are dropped.
    static let maxMembers = 64
    static let maxBytes = 8_192

    // MARK: Reading

    static func parse(_ header: String) -> Baggage {
        let bytes = Array(header.utf8.prefix(maxBytes + 1))
        var parts = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        // What the limit cut in two is not a member.
        if bytes.count > maxBytes { parts.removeLast() }
        var entries: [Baggage.Entry] = []
        for part in parts {
            guard let entry = parse(member: part) else { continue }
            if let index = entries.firstIndex(where: { $0.key == entry.key }) {
                entries[index] = entry
            } else if entries.count < maxMembers {
                entries.append(entry)
            }
        }
        return Baggage(entries: entries)
    }

    private static func parse(member: ArraySlice<UInt8>) -> Baggage.Entry? {
        let semicolon = member.firstIndex(of: UInt8(ascii: ";"))
        let pair = member[..<(semicolon ?? member.endIndex)]
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let key = trim(pair[..<equals])
        let value = trim(pair[(equals + 1)...])
        guard !key.isEmpty, key.allSatisfy(isTokenCharacter), value.allSatisfy(isValueCharacter) else { return nil }
        var properties = ""
        if let semicolon {
            let text = trim(member[(semicolon + 1)...])
            // Properties are passed on untouched, unless they hold what no header may.
            if text.allSatisfy({ $0 > 0x20 && $0 < 0x7F || $0 == 0x20 || $0 == 0x09 }) {
                properties = String(decoding: text, as: UTF8.self)
            }
        }
        return Baggage.Entry(
            key: String(decoding: key, as: UTF8.self), value: percentDecoded(value), properties: properties)
    }

    /// Octets that are not UTF-8 become U+FFFD; a percent sign without two digits stands for itself.
    private static func percentDecoded(_ value: ArraySlice<UInt8>) -> String {
        guard value.contains(UInt8(ascii: "%")) else { return String(decoding: value, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var index = value.startIndex
        while index < value.endIndex {
            if value[index] == UInt8(ascii: "%"), index + 2 < value.endIndex,
                let high = hexValue(value[index + 1]), let low = hexValue(value[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(value[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    private static func trim(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var slice = slice
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return slice
    }

    // MARK: Writing

    /// Appends a member, unless that would break a limit or its key is not a token. The member count is the caller's.
    /// - Returns: whether it was appended.
    static func append(key: String, value: String, properties: String = "", to buffer: inout ByteBuffer) -> Bool {
        guard !key.isEmpty, key.utf8.allSatisfy(isTokenCharacter) else { return false }
        let start = buffer.count
        if start > 0 { buffer.append(UInt8(ascii: ",")) }
        buffer.append(key)
        buffer.append(UInt8(ascii: "="))
        for byte in value.utf8 {
            if isValueCharacter(byte), byte != UInt8(ascii: "%") {
                buffer.append(byte)
            } else {
                buffer.append(UInt8(ascii: "%"))
                buffer.append(upperHex(byte >> 4))
                buffer.append(upperHex(byte & 0xF))
            }
        }
        if !properties.isEmpty {
            buffer.append(UInt8(ascii: ";"))
            buffer.append(properties)
        }
        if buffer.count > maxBytes {
            buffer.count = start
            return false
        }
        return true
    }

    private static func upperHex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble + 0x30 : nibble + 0x37 }

    /// RFC 7230 `tchar`.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// `baggage-octet`: visible ASCII but quote, comma, semicolon and backslash.
    private static func isValueCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x2B, 0x2D...0x3A, 0x3C...0x5B, 0x5D...0x7E: true
        default: false
        }
    }
}
